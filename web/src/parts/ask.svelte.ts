// Questions before something is done that cannot easily be undone: what will happen, to whom, and a way out.
export interface Question {
  title: string;
  texts: string[]; // what will happen and to whom, a paragraph each
  action: string; // what the button says
  danger?: boolean;
  type?: string; // what must be typed first
  run: () => Promise<void>; // fails with words for the reader
}

class Ask {
  question = $state.raw<Question | null>(null);
}

export const asking = new Ask();

export function ask(question: Question): void {
  asking.question = question;
}
