/**
 * Starts work as its inputs come, at most `atOnce` at a time, and hands on the results in the
 * order of the inputs. After the first failure nothing more is started, not even waited for;
 * what was started is handed on, then the failure is thrown.
 */
export async function inOrder<Input, Result>(inputs: AsyncIterable<Input>, o: {
  readonly atOnce: number;
  readonly start: (input: Input) => Promise<Result>;
  readonly done: (result: Result) => Promise<void>;
}): Promise<void> {
  const failures: unknown[] = [];
  let failed!: () => void;
  const failing = new Promise<undefined>((resolve) => { failed = () => resolve(undefined); });
  let left = 0;
  let wake: (() => void) | undefined;
  let handing = Promise.resolve();

  const fail = (error: unknown): void => {
    failures.push(error);
    failed();
  };
  const handOn = async (result: Promise<Result>): Promise<void> => {
    try {
      await o.done(await result);
    } catch (error) {
      fail(error);
    }
    left--;
    wake?.();
  };
  const iterator = inputs[Symbol.asyncIterator]();
  try {
    for (;;) {
      const step = await Promise.race([iterator.next(), failing]);
      if (!step || step.done || failures.length > 0) break;
      left++;
      const result = o.start(step.value);
      result.catch(fail);
      handing = handing.then(() => handOn(result));
      while (left >= o.atOnce && failures.length === 0) await new Promise<void>((resolve) => { wake = resolve; });
    }
  } catch (error) {
    fail(error);
  }
  await handing;
  if (failures.length > 0) throw failures[0];
}
