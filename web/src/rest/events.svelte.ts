// What the daemon pushes: that something of a topic has changed. Who listens loads it anew, at most once a second for
// a burst of changes. A connection that was lost the browser takes up again by itself; one that was refused it gives up
// for good, and then we ask who the reader is, which also notices that his session is over, and open it anew. Until it
// is open, pages live by their pace alone.
import { request } from './request';

type Listener = { topics: string[]; then: () => void; timer?: ReturnType<typeof setTimeout> };

const listeners = new Set<Listener>();
const burstMs = 1000;
const refusedMs = 15_000;
let source: EventSource | null = null;
let later: ReturnType<typeof setTimeout> | undefined;

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
  source.onerror = () => {
    stream.connected = false;
    if (source?.readyState === EventSource.CLOSED) openLater();
  };
  for (const topic of topics) source.addEventListener(topic, () => tell(topic));
}

function openLater(): void {
  clearTimeout(later);
  later = setTimeout(() => {
    const given = later;
    request('GET', '/v1/session')
      .then(() => given === later && openEvents())
      .catch(() => given === later && openLater());
  }, refusedMs);
}

export function closeEvents(): void {
  clearTimeout(later);
  later = undefined;
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
