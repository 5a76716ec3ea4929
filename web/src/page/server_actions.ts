// What an operator does to a server.
import { ask } from '../parts/ask.svelte';
import { notices } from '../parts/notices.svelte';
import { changeServer, deleteServer } from '../rest/calls';
import type { Server } from '../rest/types';
import { place } from '../route/address.svelte';
import { t } from '../text/words.svelte';

export function askToDrain(server: Server, then: () => void): void {
  const name = server.hostname;
  ask({
    title: t('server.drainTitle', { name }),
    texts: [t('server.drainText', { name, sessions: server.leases ?? 0 })],
    action: t('server.drain'),
    run: async () => {
      await changeServer(server.id, { accepts: false }, server.etag);
      notices.tell(t('server.drained', { name }));
      then();
    },
  });
}

// Nobody loses anything by it, so nobody is asked.
export async function endDrain(server: Server, then: () => void): Promise<void> {
  try {
    await changeServer(server.id, { accepts: true }, server.etag);
    notices.tell(t('server.undrained', { name: server.hostname }));
  } catch (error) {
    notices.tell(error instanceof Error ? error.message : String(error));
  }
  then();
}

export function askToDelete(server: Server): void {
  const name = server.hostname;
  const sessions = server.leases ?? 0;
  const force = sessions > 0 || server.accepts;
  ask({
    title: t('server.deleteTitle', { name }),
    texts: [
      t('server.deleteText', { name, gpus: server.gpus.length }),
      ...(sessions > 0 ? [t('server.deleteForce', { sessions }), t('server.deleteDrainFirst')] : []),
    ],
    action: t('server.delete'),
    danger: true,
    type: name,
    run: async () => {
      await deleteServer(server.id, force, server.etag);
      notices.tell(t('server.deleted', { name }));
      place.go('servers');
    },
  });
}
