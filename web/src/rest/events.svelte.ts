// What the daemon pushes: that something of a topic has changed. Who listens loads it anew, at most once a second for
// a burst of changes. The browser connects again by itself; until it has, pages live by their pace alone.
type Listener = { topics: string[]; then: () => void; timer?: ReturnType<typeof setTimeout> };

const listeners = new Set<Listener>();
const burstMs = 1000;
let source: EventSource | null = null;

class Stream {
  connected = $state(false);
}
export const stream = new Stream();

export const topics = [
  'leases',
  'servers',
  'clients',
  'queue',
  'tokens',
  'users',
  'settings',
  'health',
  'audit',
  'backups',
  'logs',
];

export function onEvent(names: string[], then: () => void): () => void {
  const listener: Listener = { topics: names, then };
  listeners.add(listener);
  return () => {
    clearTimeout(listener.timer);
    listeners.delete(listener);
  };
}

export function openEvents(): void {
  closeEvents();
  source = new EventSource('/v1/events');
  source.onopen = () => (stream.connected = true);
  source.onerror = () => (stream.connected = false);
  for (const topic of topics) source.addEventListener(topic, () => tell(topic));
}

export function closeEvents(): void {
  source?.close();
  source = null;
  stream.connected = false;
}

function tell(topic: string): void {
  for (const listener of listeners) {
    if (!listener.topics.includes(topic) || listener.timer !== undefined) continue;
    listener.timer = setTimeout(() => {
      listener.timer = undefined;
      listener.then();
    }, burstMs);
  }
}
