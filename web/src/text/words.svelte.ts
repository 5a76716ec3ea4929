// The reader's language. One file a language; English says which texts there are, and a test holds the others to it.
import { keep, kept } from '../look/kept';
import { en } from './en';
import { ja } from './ja';
import { zhTW } from './zh-TW';

export type Key = keyof typeof en;
export type Texts = Record<Key, string>;
export type Values = Record<string, string | number>;

export const languages = [
  { code: 'en', name: 'English', texts: en as Texts },
  { code: 'ja', name: '日本語', texts: ja },
  { code: 'zh-TW', name: '繁體中文', texts: zhTW },
] as const;

export function fill(text: string, values: Values): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole));
}

function wanted(): string {
  const before = kept('language');
  if (languages.some((language) => language.code === before)) return before!;
  for (const asked of navigator.languages) {
    if (/^zh\b/i.test(asked)) return 'zh-TW';
    const found = languages.find((language) => asked.toLowerCase().startsWith(language.code));
    if (found) return found.code;
  }
  return 'en';
}

class Words {
  code = $state(wanted());

  get texts(): Texts {
    return (languages.find((language) => language.code === this.code) ?? languages[0]).texts;
  }

  set(code: string): void {
    this.code = code;
    keep('language', code);
  }
}

export const words = new Words();

export function t(key: Key, values?: Values): string {
  const text = words.texts[key];
  return values ? fill(text, values) : text;
}
