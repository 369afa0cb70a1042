/** The best of the languages there are, by the Accept-Language of a request (RFC 9110 §12.5.4); the first when none is wanted. */
export function languageOf<const L extends string>(header: string | undefined, there: readonly [L, ...L[]]): L {
  const wanted = (header ?? '').slice(0, MOST).split(',').map((range) => {
    const [tag = '', ...parameters] = range.trim().toLowerCase().split(/\s*;\s*/);
    const weight = parameters.find((one) => one.startsWith('q='));
    return { tag, weight: weight === undefined ? 1 : Number(weight.slice(2)) };
  });
  // Of equals, the one that was named first.
  for (const { tag } of wanted.filter(({ weight }) => weight > 0).toSorted((one, other) => other.weight - one.weight)) {
    const found = there.find((language) => tag === language || tag.startsWith(`${language}-`));
    if (found !== undefined) return found;
    if (tag === '*') break;
  }
  return there[0];
}

/** Characters of the header that count. */
const MOST = 500;
