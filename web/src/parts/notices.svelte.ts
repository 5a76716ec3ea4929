// Short news of what was done; they go by themselves.
export interface Notice {
  id: number;
  text: string;
}

const stayMs = 6000;

class Notices {
  list = $state.raw<Notice[]>([]);
  #next = 1;

  tell(text: string): void {
    const notice = { id: this.#next++, text };
    this.list = [...this.list.slice(-3), notice];
    setTimeout(() => this.drop(notice.id), stayMs);
  }

  drop(id: number): void {
    this.list = this.list.filter((one) => one.id !== id);
  }
}

export const notices = new Notices();
