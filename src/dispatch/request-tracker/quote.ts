/** Without the quote that RT puts before an answer: a line that ends in "wrote:" and lines with `>`. */
export function withoutQuote(text: string): string {
  const lines = text.trim().split('\n');
  const isQuote = (line: string | undefined) => line?.startsWith('>') ?? false;
  const kept = lines.filter((line, index) => {
    if (isQuote(line)) return false;
    const next = lines.slice(index + 1, index + 3).find((each) => each.trim() !== '');
    return !(line.trimEnd().endsWith(' wrote:') && isQuote(next));
  });
  const rest = kept.join('\n').trim();
  return rest === '' ? text.trim() : rest;
}
