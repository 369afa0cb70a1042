import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, createSystemClock } from '../../src/clock.ts';
import type { Limits, Trouble } from '../../src/api.ts';
import { CommandOffers } from '../../src/commands/offers.ts';
import { LanpostError } from '../../src/errors.ts';
import type { PeerContext } from '../../src/link/context.ts';
import { createLink, type Link, type LinkInit } from '../../src/link/link.ts';
import { OwnPresence } from '../../src/link/own-presence.ts';
import type { HomeAccounts } from '../../src/link/jid-proofs.ts';
import { LinkService } from '../../src/link/link-service.ts';
import { type Log, openLog } from '../../src/log/log.ts';
import { MemoryDatabase } from '../../src/log/memory-database.ts';
import { DeviceRoad } from '../../src/mail/device-road.ts';
import { Devices } from '../../src/mail/devices.ts';
import { Mail } from '../../src/mail/mail.ts';
import { DEFAULT_LIMITS } from '../../src/options.ts';
import { Broker } from '../../src/pubsub/broker.ts';
import { lossLedger } from '../../src/pubsub/ledger.ts';
import { Requests } from '../../src/requests.ts';
import { selfSigned } from '../../src/trust/certificate.ts';
import { Claims } from '../../src/trust/claims.ts';
import { boxIdOf } from '../../src/trust/fingerprint.ts';
import type { Identity } from '../../src/trust/identity.ts';
import { Sealer } from '../../src/trust/seal.ts';
import { Trust } from '../../src/trust/trust.ts';
import { Disco } from '../../src/xep/disco.ts';
import { IDENTITIES } from '../../src/xep/pubsub/discovery.ts';
import { Dispatcher } from '../../src/xmpp/dispatch.ts';
import type { SimulatedLan } from './fixtures.ts';

/** A box without its surroundings: log, broker, trust, mail and the link, put together as `createBox` does. */
export interface ServiceBox {
  /** Its host on the simulated LAN. */
  readonly host: number;
  readonly log: Log;
  readonly broker: Broker;
  readonly trust: Trust;
  readonly mail: Mail;
  readonly devices: Devices;
  readonly link: Link;
  /** Where a stream hands over what comes in. */
  readonly dispatcher: Dispatcher<PeerContext>;
  readonly service: LinkService;
  readonly identity: Identity;
  readonly claims: Claims;
  readonly offers: CommandOffers;
  readonly requests: Requests;
  /** Where files from peers come to lie. */
  readonly dir: string;
  readonly troubles: Trouble[];
  close(): Promise<void>;
}

export interface ServiceBoxSetup {
  readonly identity?: Identity;
  readonly database?: MemoryDatabase;
  readonly limits?: Partial<Limits>;
  readonly clock?: Clock;
  /** Default: discovery by word of mouth. */
  readonly mdns?: LinkInit['mdns'];
  /** Its accounts. Default: it has none, and no peer can prove one. */
  readonly home?: HomeAccounts;
  readonly relayAllowed?: () => void;
}

export async function serviceBox(lan: SimulatedLan, host: number, user: string, setup: ServiceBoxSetup = {}): Promise<ServiceBox> {
  const clock = lan.bell.heard(setup.clock ?? createSystemClock());
  const limits = { ...DEFAULT_LIMITS, ...setup.limits };
  const troubles: Trouble[] = [];
  const trouble = (found: Trouble): void => {
    troubles.push(found);
    lan.bell.ring();
  };
  const identity = setup.identity ?? await lan.identity();
  const dir = await mkdtemp(join(tmpdir(), 'lanpost-service-'));
  const log = await openLog({ database: setup.database ?? new MemoryDatabase(), clock, boxId: boxIdOf(identity.spki), trouble, ledger: lossLedger() });
  const trust = new Trust({ registry: log.registry, clock, trouble });
  const broker = new Broker({ log, clock, trouble, limits, may: (...asked) => trust.may(...asked), level: (key) => trust.level(key), touches: (...asked) => trust.touches(...asked), generation: () => trust.generation });
  const dispatcher = new Dispatcher<PeerContext>();
  const disco = new Disco<PeerContext>({ node: 'urn:lanpost:0', identities: IDENTITIES });
  disco.attach(dispatcher);
  const own = new OwnPresence({ registry: log.registry, label: user, caps: () => disco.caps() });
  const claims = new Claims({ registry: log.registry, clock, boot: () => log.epoch, trustedNow: () => log.trustedNow(), isPaired: (key) => trust.level(key) === 'paired' });
  const { fingerprint } = identity;
  const offers = new CommandOffers({ clock, trouble });
  const devices = new Devices(log);
  const service: LinkService = new LinkService({
    broker, log, trust, clock, trouble, dispatcher, disco, own, bareName: user, dir, limits, offers, devices,
    receive: (incoming) => mail.receive(incoming), lettersFor: () => mail.awaited(), roadsChanged: () => mail.roadsChanged(), ...(setup.relayAllowed ? { relayAllowed: setup.relayAllowed } : {}),
    ...(setup.home ? { accounts: { claims, seal: new Sealer(identity), fingerprint, home: setup.home } } : {}),
  });
  const mail: Mail = new Mail({ log, clock, trouble, limits, roads: [new DeviceRoad({ devices, ownName: () => service.name }), service.road], devices: { all: devices, addressOf: () => undefined }, isHomeDomain: () => false });
  const link = createLink({
    certificate: () => selfSigned(identity.key),
    mdns: setup.mdns ?? lan.mdns(host), tcp: lan.tcp(host), trust, clock, trouble, dispatcher, disco, own, identity, registry: log.registry, limits,
    name: user, host: `h${host}`, port: 0, expects: (stanza, peer) => service.expects(stanza, peer), on: { opened: (peer) => service.opened(peer), closed: (peer) => service.closed(peer) },
  });
  service.use(link);
  link.peers.watch(lan.bell.ring);
  await link.start();
  await mail.start();
  const nowhere = { knows: () => false, request: () => Promise.reject(new LanpostError('unreachable')) };
  const requests = new Requests({ clock, link: service, homes: nowhere, offers, limits });
  let closing: Promise<void> | undefined;
  const close = (): Promise<void> => {
    closing ??= (async () => {
      await service.close();
      await link.close();
      await mail.close();
      await trust.close();
      await log.close();
      await rm(dir, { recursive: true, force: true });
    })();
    return closing;
  };
  lan.onClose(close);
  return { host, log, broker, trust, mail, devices, link, dispatcher, service, identity, claims, offers, requests, dir, troubles, close };
}
