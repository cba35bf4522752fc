/** How much room lines have. */
export const densities = ['compact', 'cozy', 'comfortable'] as const;
export type Density = (typeof densities)[number];

export function densityOf(wish: string | undefined): Density {
  return densities.find((density) => density === wish) ?? 'cozy';
}
