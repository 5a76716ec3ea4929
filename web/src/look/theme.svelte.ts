import { keep, kept } from './kept';

export type Choice = 'system' | 'light' | 'dark';
const choices: Choice[] = ['system', 'light', 'dark'];

class Theme {
  choice = $state<Choice>(choices.find((one) => one === kept('theme')) ?? 'system');
  #system = $state(matchMedia('(prefers-color-scheme: dark)').matches);

  constructor() {
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', (event) => {
      this.#system = event.matches;
    });
  }

  get dark(): boolean {
    return this.choice === 'system' ? this.#system : this.choice === 'dark';
  }

  next(): void {
    this.set(this.dark ? 'light' : 'dark');
  }

  set(choice: Choice): void {
    this.choice = choice;
    keep('theme', choice);
  }
}

export const theme = new Theme();
