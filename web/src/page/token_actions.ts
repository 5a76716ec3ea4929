// What an administrator does with a token.
import { saveFile } from '../list/save';
import { ask } from '../parts/ask.svelte';
import { notices } from '../parts/notices.svelte';
import { changeToken, deleteToken, tokenBundle } from '../rest/calls';
import type { Token } from '../rest/types';
import { t } from '../text/words.svelte';

export function nameOf(token: Token): string {
  return token.description ? `${token.description} (${token.id})` : token.id;
}

export async function downloadBundle(token: Token): Promise<void> {
  try {
    saveFile(`bitfusion-client-${token.id}.tar`, await tokenBundle(token.id));
  } catch (error) {
    notices.tell(error instanceof Error ? error.message : String(error));
  }
}

export async function activate(token: Token, then: () => void): Promise<void> {
  try {
    await changeToken(token.id, { active: true }, token.etag);
    notices.tell(t('token.activated', { token: nameOf(token) }));
  } catch (error) {
    notices.tell(error instanceof Error ? error.message : String(error));
  }
  then();
}

export function askToDeactivate(token: Token, then: () => void): void {
  ask({
    title: t('token.deactivateTitle'),
    texts: [t('token.deactivateText', { token: nameOf(token) })],
    action: t('token.deactivate'),
    danger: true,
    run: async () => {
      await changeToken(token.id, { active: false }, token.etag);
      notices.tell(t('token.deactivated', { token: nameOf(token) }));
      then();
    },
  });
}

export function askToDelete(token: Token, then: () => void): void {
  ask({
    title: t('token.deleteTitle'),
    texts: [t('token.deleteText', { token: nameOf(token) })],
    action: t('token.delete'),
    danger: true,
    run: async () => {
      await deleteToken(token.id, token.etag);
      notices.tell(t('token.deleted', { token: nameOf(token) }));
      then();
    },
  });
}
