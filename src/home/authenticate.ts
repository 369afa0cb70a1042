// SASL (RFC 6120 §6) with SCRAM: the password never leaves this box, unless its owner allows it.
import { children, namespaceOf, xml, type Element } from '../xmpp/element.ts';
import { bindingTypes, channelBinding, type UnsaidBinding } from '../xmpp/channel-binding.ts';
import { chooseMechanism, NS_SASL, offersBinding, plainMessage, SaslError, ScramClient } from '../xmpp/sasl.ts';
import type { Wire } from '../xmpp/wire.ts';
import { XmppSocket } from '../xmpp/xmpp-socket.ts';
import type { HomeArrivals } from './arrivals.ts';

export interface Credentials {
  readonly username: string;
  readonly password: string;
  /** Whether the password itself may be shown, to a server whose certificate is right. */
  readonly plain: boolean;
  /** The kind of channel binding to try where the server does not say which it means. */
  readonly unsaid: UnsaidBinding;
}

export interface Offer {
  readonly mechanisms: readonly string[];
  readonly bindings: readonly string[] | undefined;
}

export function offerOf(features: Element): Offer {
  const mechanisms = features.getChild('mechanisms', NS_SASL)?.getChildren('mechanism').slice(0, 64).map((mechanism) => mechanism.getText().trim()) ?? [];
  return { mechanisms, bindings: bindingTypes(features) };
}

/** Says the first of it; what the server answers is for `finish`. Throws when what is offered will not do. */
export function beginSasl(wire: Wire, { mechanisms, bindings }: Offer, credentials: Credentials): ScramClient | 'PLAIN' {
  const { username, password, plain, unsaid } = credentials;
  // Over WebSocket and BOSH the TLS connection often ends before the server does: there is nothing to bind to.
  const tls = wire instanceof XmppSocket ? wire.secured : undefined;
  const offered = offersBinding(mechanisms);
  const binding = tls && offered ? channelBinding(tls, bindings, unsaid) : undefined;
  const mechanism = chooseMechanism(mechanisms, { plain, binding: binding !== undefined });
  if (mechanism === undefined) throw new SaslError('invalid-mechanism', `the server offers only ${mechanisms.slice(0, 8).join(', ') || 'nothing'}`);
  const scram = mechanism === 'PLAIN' ? mechanism : new ScramClient(mechanism, { username, password }, { ...(binding ? { binding } : {}), unoffered: tls !== undefined && !offered });
  const first = scram === 'PLAIN' ? plainMessage(username, password) : scram.first();
  wire.write(xml('auth', { xmlns: NS_SASL, mechanism }, first.toString('base64')));
  return scram;
}

/** Resolves when the server has taken the password, and proven that it knew it. */
export async function finishSasl(wire: Wire, arrivals: HomeArrivals, scram: ScramClient | 'PLAIN'): Promise<void> {
  let verified = scram === 'PLAIN';
  for (let step = 0; step < 3; step++) {
    const answer = await arrivals.stanza();
    if (namespaceOf(answer) !== NS_SASL) break;
    const data = Buffer.from(answer.getText(), 'base64');
    if (answer.getName() === 'failure') throw saslFailure(answer);
    if (answer.getName() === 'success') {
      // RFC 6120 §6.4.6: the server's proof may come with the success, or came before it as a challenge.
      if (scram !== 'PLAIN' && (!verified || data.length > 0)) scram.verify(data);
      return;
    }
    if (answer.getName() !== 'challenge' || scram === 'PLAIN') break;
    if (step === 0) wire.write(xml('response', { xmlns: NS_SASL }, (await scram.respond(data)).toString('base64')));
    else {
      scram.verify(data);
      verified = true;
      wire.write(xml('response', { xmlns: NS_SASL }));
    }
  }
  throw new SaslError('malformed-request', 'the server does not speak SASL as RFC 6120 has it');
}

function saslFailure(failure: Element): SaslError {
  const condition = children(failure).find((child) => child.getName() !== 'text')?.getName() ?? 'not-authorized';
  return new SaslError(condition, failure.getChildText('text') ?? undefined);
}
