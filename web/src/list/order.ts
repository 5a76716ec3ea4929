// Which rows of a list are shown, and in which order.
import type { Cell } from './csv';

export interface Column<Row> {
  key: string;
  title: string;
  value: (row: Row) => Cell; // what is sorted by, searched and saved
  shown?: (row: Row) => string; // what is read, where that is another text
  numeric?: boolean;
  moment?: boolean; // a time
  wide?: boolean; // left out on a phone
  within?: boolean; // shown in the cell of another column; a column of its own in the file
  custom?: boolean; // the page draws its cells
}

export interface View {
  find: string;
  sort: string; // a column's key; with - before it from the greatest
  page: number; // from 1
}

export const rowsOfAPage = 50;

export function matching<Row>(rows: Row[], columns: Column<Row>[], find: string): Row[] {
  const wanted = find.trim().toLocaleLowerCase();
  if (!wanted) return rows;
  return rows.filter((row) =>
    columns.some((column) => {
      const text = column.shown?.(row) ?? column.value(row);
      return String(text ?? '').toLocaleLowerCase().includes(wanted);
    }),
  );
}

const texts = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' });

export function sorted<Row>(rows: Row[], columns: Column<Row>[], sort: string): Row[] {
  const down = sort.startsWith('-');
  const column = columns.find((one) => one.key === (down ? sort.slice(1) : sort));
  if (!column) return rows;
  const keyed = rows.map((row) => ({ row, key: column.value(row) }));
  keyed.sort((a, b) => (down ? compare(b.key, a.key) : compare(a.key, b.key)));
  return keyed.map((one) => one.row);
}

function compare(a: Cell, b: Cell): number {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  if (typeof a === 'boolean' && typeof b === 'boolean') return Number(a) - Number(b);
  const aEmpty = a === null || a === undefined || a === '';
  const bEmpty = b === null || b === undefined || b === '';
  if (aEmpty || bEmpty) return Number(aEmpty) - Number(bEmpty);
  return texts.compare(String(a), String(b));
}

// A key for each row. Should two rows have the same, they are both shown all the same.
export function distinct<Row>(rows: Row[], keyOf: (row: Row) => string): { key: string; row: Row }[] {
  const seen = new Map<string, number>();
  return rows.map((row) => {
    const key = keyOf(row);
    const before = seen.get(key) ?? 0;
    seen.set(key, before + 1);
    return { key: before ? `${key}\n${before}` : key, row };
  });
}

export function pagesOf(rows: number): number {
  return Math.max(1, Math.ceil(rows / rowsOfAPage));
}

export function pageOf<Row>(rows: Row[], page: number): Row[] {
  const at = Math.min(Math.max(1, page), pagesOf(rows.length)) - 1;
  return rows.slice(at * rowsOfAPage, (at + 1) * rowsOfAPage);
}
