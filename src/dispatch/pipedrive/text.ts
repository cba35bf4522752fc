export function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1).toWellFormed()}…` : text;
}

/** What of a note goes to the customer, if it was written for him; otherwise it stays inside. */
export function answerIn(text: string, mark: string): string | undefined {
  if (text.slice(0, mark.length).toLowerCase() !== mark.toLowerCase()) return undefined;
  const rest = text.slice(mark.length);
  // A mark that is a word isn't the beginning of another one.
  const goesOn = /[\p{L}\p{N}]$/u.test(mark) && /^[\p{L}\p{N}]/u.test(rest);
  return goesOn || rest.trim() === '' ? undefined : rest.trim();
}
