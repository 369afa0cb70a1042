/** Asks again until it is so; a timeout of the test ends it. */
export async function until(so: () => Promise<boolean> | boolean, options: { readonly every?: number } = {}): Promise<void> {
  while (!await so()) await new Promise((resolve) => { setTimeout(resolve, options.every ?? 50); });
}
