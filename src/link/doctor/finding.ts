import type { Finding, FindingCause } from '../../api.ts';

type Where = Pick<Finding, 'peer' | 'interface'>;

export function ok(check: string, message: string, evidence: readonly string[] = [], where: Where = {}): Finding {
  return { check, level: 'ok', message, evidence, ...where };
}

/** A finding that says something; a problem always says what to do. */
export interface Said extends Where {
  readonly message: string;
  readonly evidence: readonly string[];
  readonly advice: string;
}

export function problem(check: string, cause: FindingCause, said: Said): Finding {
  return { check, level: 'problem', cause, ...said };
}

export function note(check: string, cause: FindingCause, said: Omit<Said, 'advice'> & Partial<Pick<Said, 'advice'>>): Finding {
  return { check, level: 'note', cause, ...said };
}

/** `a`, `a and b`, `a, b and c`; of many, the first few and how many more. */
export function listed(words: readonly string[], most = 5): string {
  const shown = words.slice(0, most);
  const left = words.length - shown.length;
  if (left > 0) return `${shown.join(', ')} and ${left} more`;
  return shown.length < 2 ? shown.join('') : `${shown.slice(0, -1).join(', ')} and ${shown.at(-1)}`;
}
