/** Name and number on a contact card (RFC 6350, of which MAX uses little). */
export function cardOf(vcf: string): { readonly name: string | undefined; readonly phone: string | undefined } {
  const lines = vcf.slice(0, 20_000).split(/\r\n|[\r\n]/);
  const valueOf = (key: string) => {
    const line = lines.find((one) => one.split(/[;:]/, 1)[0]?.toUpperCase() === key);
    return (
      line
        ?.slice(line.indexOf(':') + 1)
        .trim()
        .slice(0, 500) || undefined
    );
  };
  return { name: valueOf('FN'), phone: valueOf('TEL')?.replace(/^tel:/i, '') };
}
