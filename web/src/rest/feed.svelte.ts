import { onEvent } from './events.svelte';
import { Refusal } from './request';
import { pace } from './pace.svelte';

// What a page shows of the daemon: loaded at once, again at every interval of the page's pace, and when the daemon
// tells that one of `topics` changed. The last good value stays while a new one loads or fails. One load at a time;
// nothing is loaded while the page is hidden.
export class Feed<T> {
  value = $state.raw<T | null>(null);
  refusal = $state.raw<Refusal | null>(null);
  loading = $state(false);
  at = $state(0);

  #load: (signal: AbortSignal) => Promise<T>;
  #abort: AbortController | null = null;
  #again = false;

  // Within a component: it ends with it. What `load` reads of reactive state before its first await is asked anew when
  // that changes.
  constructor(load: (signal: AbortSignal) => Promise<T>, topics: string[] = []) {
    this.#load = load;
    $effect(() => {
      const stopEvents = onEvent(topics, () => this.#changed());
      const seconds = pace.seconds;
      const timer = seconds > 0 ? setInterval(() => this.#changed(), seconds * 1000) : undefined;
      const shown = () => {
        if (!document.hidden && seconds > 0) this.reload();
      };
      document.addEventListener('visibilitychange', shown);
      return () => {
        stopEvents();
        clearInterval(timer);
        document.removeEventListener('visibilitychange', shown);
      };
    });
    $effect(() => {
      void pace.asked; // the button
      this.reload();
      return () => {
        this.#abort?.abort();
        this.#abort = null;
      };
    });
  }

  #changed(): void {
    if (!document.hidden) this.reload();
  }

  reload = (): void => {
    if (this.#abort) {
      this.#again = true;
      return;
    }
    void this.#run();
  };

  async #run(): Promise<void> {
    const abort = new AbortController();
    this.#abort = abort;
    this.#again = false;
    // Untracked: who calls within an effect does not wait for what is set here.
    queueMicrotask(() => {
      if (this.#abort === abort) this.loading = true;
    });
    try {
      const value = await this.#load(abort.signal);
      if (this.#abort !== abort) return;
      this.value = value;
      this.refusal = null;
      this.at = Date.now();
    } catch (error) {
      if (this.#abort !== abort || abort.signal.aborted) return;
      this.refusal = error instanceof Refusal ? error : new Refusal(0, String(error));
    } finally {
      if (this.#abort === abort) {
        this.#abort = null;
        this.loading = false;
        if (this.#again) void this.#run();
      }
    }
  }
}
