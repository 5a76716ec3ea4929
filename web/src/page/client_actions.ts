// What an operator does to a client.
import { ask } from '../parts/ask.svelte';
import { notices } from '../parts/notices.svelte';
import { changeClient, deleteClient } from '../rest/calls';
import type { Client } from '../rest/types';
import { place } from '../route/address.svelte';
import { t } from '../text/words.svelte';

export function askToDisable(client: Client, then: () => void): void {
  const name = client.name || client.id;
  ask({
    title: t('client.disableTitle', { name }),
    texts: [t('client.disableText', { name, sessions: client.leases ?? 0 })],
    action: t('client.disable'),
    danger: true,
    run: async () => {
      await changeClient(client.id, { enabled: false }, client.etag);
      notices.tell(t('client.isDisabled', { name }));
      then();
    },
  });
}

export async function enable(client: Client, then: () => void): Promise<void> {
  try {
    await changeClient(client.id, { enabled: true }, client.etag);
    notices.tell(t('client.isEnabled', { name: client.name || client.id }));
  } catch (error) {
    notices.tell(error instanceof Error ? error.message : String(error));
  }
  then();
}

export function askToDelete(client: Client): void {
  const name = client.name || client.id;
  ask({
    title: t('client.deleteTitle', { name }),
    texts: [t('client.deleteText', { name, sessions: client.leases ?? 0 })],
    action: t('client.delete'),
    danger: true,
    run: async () => {
      await deleteClient(client.id, client.etag);
      notices.tell(t('client.deleted', { name }));
      place.go('clients');
    },
  });
}
