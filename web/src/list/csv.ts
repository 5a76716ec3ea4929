// Comma-separated values as RFC 4180 has them, with a mark for UTF-8, which spreadsheets want.
//
// A text that a spreadsheet would run as a formula is given a leading apostrophe: host names and descriptions come
// from other people.
export type Cell = string | number | boolean | null | undefined;

export function toCsv(titles: string[], rows: Cell[][]): string {
  return '\ufeff' + [titles, ...rows].map((row) => row.map(cellText).join(',') + '\r\n').join('');
}

function cellText(cell: Cell): string {
  if (cell === null || cell === undefined) return '';
  if (typeof cell === 'number') return Number.isFinite(cell) ? String(cell) : '';
  let text = String(cell);
  if (/^[=+\-@\t\r]/.test(text)) text = "'" + text;
  return /[",\r\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
}
