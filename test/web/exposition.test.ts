import { describe, expect, it } from 'vitest';
import { exposition } from '../../src/web/exposition.ts';

describe('the text format of Prometheus', () => {
  it('says what each number is, its type and its labels', () => {
    expect(exposition([{ name: 'a_total', type: 'counter', help: 'What\nit is.', samples: [{ value: 3 }, { labels: { x: '1', y: '2' }, value: 0.5 }] }])).toBe('# HELP a_total What\\nit is.\n# TYPE a_total counter\na_total 3\na_total{x="1",y="2"} 0.5\n');
  });

  it('lets no name out of its quotes, and leaves out what has no number', () => {
    const names = ['"} 1\nfaked 1\n', '\\', 'a\\"b', '\ud800'];
    const text = exposition([{ name: 'n', type: 'gauge', help: '', samples: names.map((topic) => ({ labels: { topic }, value: 1 })) }, { name: 'none', type: 'gauge', help: '', samples: [] }]);
    expect(text).toBe('# HELP n \n# TYPE n gauge\nn{topic="\\"} 1\\nfaked 1\\n"} 1\nn{topic="\\\\"} 1\nn{topic="a\\\\\\"b"} 1\nn{topic="\ufffd"} 1\n');
  });

  it('has words for what is no number', () => {
    expect(exposition([{ name: 'n', type: 'gauge', help: '', samples: [NaN, Infinity, -Infinity].map((value) => ({ value })) }])).toContain('n NaN\nn +Inf\nn -Inf\n');
  });
});
