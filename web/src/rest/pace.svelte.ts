import { keep, kept } from '../look/kept';

// How often pages load anew. 0: only by the button or by a change of page.
export const intervals = [0, 2, 5, 10, 30, 60, 300];
const most = 3600;

class Pace {
  seconds = $state(read());
  asked = $state(0);

  set(seconds: number): void {
    if (!Number.isFinite(seconds)) return;
    this.seconds = Math.min(Math.max(Math.round(seconds), 0), most);
    keep('refresh', String(this.seconds));
  }

  now(): void {
    this.asked += 1;
  }
}

function read(): number {
  const text = kept('refresh');
  const seconds = text === null ? NaN : Number(text);
  return Number.isFinite(seconds) && seconds >= 0 && seconds <= most ? seconds : 10;
}

export const pace = new Pace();
