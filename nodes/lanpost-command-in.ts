import type { Node, NodeAPI } from 'node-red';
import type { Box, CommandCall, CommandField, Value } from '../src/index.ts';
import { Asked } from './shared/asked.ts';
import type { BoxUserDef } from './shared/box-node.ts';
import { filledIn } from './shared/filled-in.ts';
import { follow } from './shared/following.ts';
import { oldestInWords } from './shared/held-up.ts';
import { inFlow } from './shared/payload-form.ts';
import { NodeStatus } from './shared/node-status.ts';
import { PendingCalls } from './shared/pending-calls.ts';
import { choiceOf, isOn } from './shared/saved-field.ts';
import { secondsOf } from './shared/seconds.ts';
import { unlessRefused } from './shared/unless-refused.ts';

const KINDS = ['text', 'number', 'boolean', 'list'] as const satisfies readonly CommandField['kind'][];

interface CommandInDef extends BoxUserDef {
  readonly command: string;
  /** For people. */
  readonly title?: string;
  /** What clients that know no values are asked for. All of it may be text. */
  readonly fields?: readonly { readonly name: string; readonly label?: string; readonly kind?: string; readonly options?: string; readonly required?: boolean | string }[];
  /** Seconds in which the flow has to answer. */
  readonly timeout?: string;
}

export default function register(RED: NodeAPI): void {
  function LanpostCommandIn(this: Node & { calls?: PendingCalls }, saved: CommandInDef): void {
    RED.nodes.createNode(this, saved);
    const def = filledIn(RED, this, saved);
    const offered = unlessRefused(this, () => offerOf(def));
    if (!offered) return;
    const calls = new PendingCalls();
    this.calls = calls;
    const status = new NodeStatus(this);
    let count = 0;
    let isOffered = false;
    const show = (): void => {
      if (!isOffered) return;
      const done = `run ${count} ${count === 1 ? 'time' : 'times'}`;
      if (calls.size > 0) {
        status.good(`${calls.size} running${oldestInWords(calls.age)}, ${done}`);
        status.again(show);
      } else status.idle(count === 0 ? 'offered' : `offered, ${done}`);
    };
    const handle = async (call: CommandCall): Promise<Value | undefined> => {
      count++;
      try {
        return await calls.wait(call, (id) => {
          this.send({
            payload: inFlow(call.value), topic: call.command, ...(call.from === undefined ? {} : { from: call.from }),
            lanpost: { topic: call.command, command: call.command, node: this.id, call: id, trust: call.trust },
          });
          show();
        });
      } finally {
        show();
      }
    };
    const once = async (box: Box, signal: AbortSignal): Promise<void> => {
      const offer = await box.commands.offer(def.command, handle, offered);
      const take = (): void => void offer.close();
      signal.addEventListener('abort', take, { once: true });
      if (signal.aborted) take();
      isOffered = true;
      show();
      await offer.ended;
      isOffered = false;
      signal.removeEventListener('abort', take);
    };
    follow(RED, this, def, status, { opening: 'offering the command', once, asked: new Asked(status) });
  }
  RED.nodes.registerType('lanpost command in', LanpostCommandIn);
}

function offerOf({ title, fields = [], timeout }: CommandInDef): Parameters<Box['commands']['offer']>[2] {
  const ms = secondsOf(timeout);
  return {
    ...(title ? { title } : {}),
    ...(ms === undefined ? {} : { timeout: ms }),
    fields: fields.map(({ name, label, kind, options = '', required = false }) => ({
      name, kind: choiceOf(`kind of ${name}`, kind, KINDS), required: isOn(`required of ${name}`, required),
      ...(label ? { label } : {}),
      ...(kind === 'list' ? { options: options.split(',').map((one) => one.trim()).filter(Boolean) } : {}),
    })),
  };
}
