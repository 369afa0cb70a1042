// What a box of the chaos publishes: a number, and a text that every road has to carry unchanged.
const TEXT = 'x<&>\u00e9\u{1f600}'.repeat(4);

export const readingOf = (n) => ({ n, text: TEXT });

/** Of a reading that is as it was published; else nothing. */
export const numberOf = (value) => (value?.text === TEXT && Object.keys(value).length === 2 ? value.n : undefined);
