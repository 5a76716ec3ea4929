// Who the reader is to the daemon.
import { closeEvents, openEvents } from './events.svelte';
import { Refusal, renewing, request, useCsrf, whenSignedOut } from './request';
import type { Role, Session } from './types';

const order: Role[] = ['client', 'viewer', 'operator', 'admin'];

export function atLeast(role: Role | undefined, least: Role): boolean {
  return role !== undefined && order.indexOf(role) >= order.indexOf(least);
}

class Sign {
  // undefined: not asked yet; null: nobody is signed in.
  session = $state.raw<Session | null | undefined>(undefined);
  refusal = $state.raw<Refusal | null>(null);
  ended = $state(false); // it was over before the reader wanted

  constructor() {
    whenSignedOut(() => {
      if (!this.session) return;
      this.ended = true;
      this.#take(null);
    });
  }

  may(least: Role): boolean {
    return atLeast(this.session?.role, least);
  }

  async ask(): Promise<void> {
    this.refusal = null;
    try {
      this.#take(await request<Session>('GET', '/v1/session', { quiet: true }));
    } catch (error) {
      const refusal = error as Refusal;
      if (refusal.status === 401) this.#take(null);
      else this.refusal = refusal;
    }
  }

  async in(name: string, password: string): Promise<void> {
    const session = await request<Session>('POST', '/v1/session', { body: { name, password }, quiet: true });
    this.ended = false;
    this.#take(session);
  }

  // Ends all other sessions of his.
  async changePassword(before: string, next: string): Promise<void> {
    await renewing(async () =>
      this.#take(await request<Session>('PUT', '/v1/session/password', { body: { old: before, new: next }, quiet: true })),
    );
  }

  async out(): Promise<void> {
    await request('DELETE', '/v1/session', { quiet: true });
    this.ended = false;
    this.#take(null);
  }

  #take(session: Session | null): void {
    useCsrf(session?.csrf ?? '');
    this.session = session;
    if (session) openEvents();
    else closeEvents();
  }
}

export const sign = new Sign();
