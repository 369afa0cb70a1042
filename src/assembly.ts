import type { Box } from './api.ts';
import { CommandOffers } from './commands/offers.ts';
import { type ControlServer, serveControl } from './control/serve-control.ts';
import { Components } from './home/component/components.ts';
import type { CarriedOutbox } from './home/carried/carried.ts';
import { Carriers } from './home/carried/carriers.ts';
import { createHomes, HOME_LIMITS, type Homes } from './home/homes.ts';
import { createReceiver } from './home/receiver.ts';
import { SealedLetters } from './home/sealed-letters.ts';
import type { PeerContext } from './link/context.ts';
import { LinkService } from './link/link-service.ts';
import { OwnPresence } from './link/own-presence.ts';
import { LocalBox } from './local-box.ts';
import { PAIRED_INBOX } from './mail/inbox.ts';
import { DeviceRoad } from './mail/device-road.ts';
import { Devices } from './mail/devices.ts';
import { Mail } from './mail/mail.ts';
import { SelfRoad } from './mail/self-road.ts';
import type * as OnLink from './on-link.ts';
import type { CheckedOptions } from './options.ts';
import { Broker } from './pubsub/broker.ts';
import { Requests } from './requests.ts';
import type { Store } from './store.ts';
import { Claims } from './trust/claims.ts';
import { Sealer } from './trust/seal.ts';
import { Trust } from './trust/trust.ts';
import { VERSION } from './version.ts';
import { Disco } from './xep/disco.ts';
import { createPing } from './xep/ping.ts';
import { IDENTITIES } from './xep/pubsub/discovery.ts';
import { createTime } from './xep/time.ts';
import { createVersion } from './xep/version.ts';
import { Dispatcher } from './xmpp/dispatch.ts';

/** XEP-0115: what kind of software this is, as a URI. */
const CAPS_NODE = 'urn:lanpost:0';

/** The parts list: builds on the store, connects, starts. What it opens, the store closes. `onLink`: of a box that has a place there. */
export async function openBox(options: CheckedOptions, { clock, troubles, trouble, identity, log, opened }: Store, onLink: typeof OnLink | undefined): Promise<Box> {
  const { dir, limits } = options;
  const trust = new Trust({ registry: log.registry, clock, trouble });
  opened.add(() => trust.close());
  const broker = new Broker({
    log, clock, trouble, limits, expired: (name) => service.dropped(name),
    may: (...asked) => trust.may(...asked), level: (key) => trust.level(key), touches: (...asked) => trust.touches(...asked), generation: () => trust.generation,
  });
  opened.add(() => broker.rights.close());
  opened.add(async () => broker.readers.close());
  const seal = new Sealer(identity);
  const { fingerprint } = identity;
  const claims = new Claims({ registry: log.registry, clock, boot: () => log.epoch, trustedNow: () => log.trustedNow(), isPaired: (key) => trust.level(key) === 'paired' });
  const letters = new SealedLetters({
    fingerprint, seal, clock, trouble,
    level: (key) => trust.level(key),
    mayChat: (key) => trust.may(key, 'chat'),
    holder: (jid) => claims.holder(jid),
    mark: (origin, device) => (device === undefined ? log.originMark(origin.box, origin.epoch, PAIRED_INBOX, origin.chain) : devices.mark(origin, device)),
  });
  const devices = new Devices(log);
  const offers = new CommandOffers({ clock, trouble });
  opened.add(async () => offers.close());
  const receiver = createReceiver({
    version: VERSION, letters,
    commands: { offers, may: (account, name) => trust.accountMay(account, 'command', name), answerBytes: HOME_LIMITS.stanza },
    devices: {
      has: (name) => devices.has(name),
      receive: (name, incoming) => devices.receive(name, incoming),
      may: (sender, name) => (sender.fingerprint === undefined ? trust.accountMay(`xmpp:${sender.account}`, 'device', name) : trust.may(sender.fingerprint, 'device', name)),
    },
    receive: (incoming) => mail.receive(incoming),
    challenged: (challenge, account) => service.challenged(challenge, account),
    received: (element, from) => homes.road.received(element, from),
    returned: (from, error, id) => homes.road.returned(from, error, id),
  });
  const homes: Homes = createHomes({
    log, broker, clock, trouble,
    boxId: identity.boxId,
    boxes: {
      seal, fingerprint,
      claimed: (jid) => {
        const claimant = claims.claimant(jid);
        return claimant === undefined || trust.level(claimant) !== 'paired' ? undefined : { fingerprint: claimant, proven: claims.holder(jid) !== undefined };
      },
    },
    receive: receiver,
    detours: () => service.neighbours().map((peer) => ({ via: peer.name, dial: (to, signal, kind) => service.relays.dial(peer, to, signal, kind === 'tls' ? 'xmpps-client' : 'xmpp-client') })),
    opened: () => {
      service.homeOpened();
      mail.roadsChanged();
      takeBack().catch((error: unknown) => trouble({ kind: 'home.outbox', message: error instanceof Error ? error.message : String(error) }));
    },
  });
  const carriers = new Carriers(log.registry);
  // A revoked key has no name any more: it is known by what it was called last.
  const outbox = (): Promise<CarriedOutbox> => homes.outbox({ identity, sealer: seal, isPaired: (key) => trust.level(key) === 'paired', nameOf: (key) => trust.find(key)?.name || undefined });
  const takeBack = async (): Promise<void> => { if (!carriers.isEmpty) await (await outbox()).takeBack(); };
  const components = new Components({ log, clock, trouble, receive: receiver, isDevice: (name) => devices.has(name), opened: () => mail.roadsChanged() });

  const bareName = options.name ?? `lanpost-${identity.fingerprint.slice(0, 4)}`;
  const dispatcher = new Dispatcher<PeerContext>();
  // The same for every box: what one of them can do is then known of all that announce the same hash.
  const disco = new Disco<PeerContext>({ node: CAPS_NODE, identities: IDENTITIES });
  for (const extension of [disco, createPing<PeerContext>(), createTime<PeerContext>(clock), createVersion<PeerContext>({ name: 'lanpost', version: VERSION })]) {
    extension.attach(dispatcher);
    disco.add(extension.features);
  }
  const own = new OwnPresence({ registry: log.registry, label: bareName, caps: () => disco.caps(), about: options.about });
  const service: LinkService = new LinkService({
    broker, log, trust, clock, trouble, dispatcher, disco, own, bareName, dir, limits, offers, devices,
    receive: (incoming) => mail.receive(incoming),
    lettersFor: () => mail.awaited(),
    roadsChanged: () => mail.roadsChanged(),
    relayAllowed: () => homes.detoursChanged(),
    revoked: takeBack,
    accounts: { claims, seal, fingerprint, home: homes },
  });
  const self = new SelfRoad({ ownName: () => service.name, receive: (incoming) => mail.receive(incoming) });
  const mail: Mail = new Mail({
    log, clock, trouble, limits,
    devices: { all: devices, addressOf: (name) => components.addressesOf(name)[0] },
    roads: [self, new DeviceRoad({ devices, ownName: () => service.name }), components.road, service.road, homes.road],
    isHomeDomain: (domain) => homes.knows(domain),
  });
  // As they close, homes and components still say which letters their servers have: what is not known to be there goes again at the next start.
  opened.add(() => mail.close());
  opened.add(() => homes.close());
  opened.add(() => components.close());
  opened.add(() => mail.stop());
  opened.add(() => service.close());

  let control: ControlServer | undefined;
  const box = new LocalBox({
    dir, version: VERSION, identity, log, broker, mail, link: service, homes, outbox, components, devices, clock, troubles, offers,
    requests: new Requests({ clock, link: service, homes, offers, limits }),
    stop: async () => {
      // Whoever is attached is told first; then the link hears goodbye, cursors are synced, the log closes.
      await control?.close();
      await opened.close();
      troubles.source.close();
    },
  });
  if (options.control) control = await serveControl(box, { dir, clock, trouble, roomy: () => log.roomy() });
  opened.add(async () => control?.close());

  if (options.link && onLink) {
    const link = onLink.createOnLink({
      ...options.link, opened,
      trust, identity, clock, trouble, dispatcher, disco, own, limits, dir,
      registry: log.registry,
      roomy: () => log.roomy(),
      watched: () => service.isWatched,
      expects: (stanza, peer) => service.expects(stanza, peer),
      isHomeDomain: (domain) => homes.knows(domain),
      name: bareName,
      on: {
        opened: (peer) => {
          service.opened(peer);
          if (trust.level(peer.fingerprint) === 'paired') homes.detoursChanged();
        },
        closed: (peer) => service.closed(peer),
      },
    });
    service.use(link);
    await link.start();
  }
  for (const home of options.homes) await homes.add(home);
  await homes.start();
  await components.start();
  await mail.start();
  return box;
}
