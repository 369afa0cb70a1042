// XEP-0060 1.30 §4.1 and §4.5, with §6.1.3.2 to §6.1.3.8 and §6.5.9. Every cell is in test/pubsub/access.test.ts.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TopicSettings } from '../../../src/api.ts';
import { toPayload } from '../../../src/payload/payload.ts';
import { OWNER } from '../../../src/pubsub/actor.ts';
import { SimulatedLan } from '../../link/fixtures.ts';
import { serviceBox, type ServiceBox } from '../../link/service-box.ts';
import { all, anonymous, type Asker, TRANSPORTS } from './client.ts';

describe.each(TRANSPORTS)('XEP-0060 §4.1, §4.5 who may do what, %s', (_, connect) => {
  let lan: SimulatedLan;
  let a: ServiceBox;
  let seen: Asker;
  let paired: Asker;

  beforeEach(async () => {
    lan = new SimulatedLan();
    a = await serviceBox(lan, 1, 'a');
    seen = await connect(lan, a, 2, 'seen');
    paired = await connect(lan, a, 3, 'paired');
    for (const client of [seen, paired]) await client.ask('get', '<affiliations/>');
    await a.trust.pair(paired.fingerprint);
  });
  afterEach(() => lan.close());

  const make = async (settings: TopicSettings): Promise<void> => {
    await a.broker.create(OWNER, 't', settings);
    await a.broker.publish(OWNER, 't', toPayload(1), { id: '1' });
  };
  /** What becomes of subscribing, and of asking for items. */
  const tried = async (client: Asker): Promise<[subscribe: string, retrieve: string]> => {
    const of = (type: 'get' | 'set', inner: string): Promise<string> => client.ask(type, inner).then(() => 'yes', () => client.refused(type, inner));
    return [await of('set', `<subscribe node='t' jid='${client.name}'/>`), await of('get', "<items node='t'/>")];
  };

  describe('§4.5 Node Access Models, §6.5.1 and who retrieves by them', () => {
    it('open: everybody with a key', async () => {
      await make({ accessModel: 'open' });
      expect(await tried(seen)).toEqual(['yes', 'yes']);
    });

    it('§6.1.3.2 presence: paired peers, others → not-authorized / presence-subscription-required', async () => {
      await make({ accessModel: 'presence' });
      expect(await tried(paired)).toEqual(['yes', 'yes']);
      expect(await tried(seen)).toEqual(Array(2).fill('auth not-authorized / presence-subscription-required'));
    });

    it('§6.1.3.3 roster: the classes that are named, others → not-authorized / not-in-roster-group', async () => {
      await make({ accessModel: 'roster', rosterGroups: ['class:paired'] });
      expect(await tried(paired)).toEqual(['yes', 'yes']);
      expect(await tried(seen)).toEqual(Array(2).fill('auth not-authorized / not-in-roster-group'));
      await a.broker.configure(OWNER, 't', { rosterGroups: ['class:seen'] });
      expect(await tried(seen)).toEqual(['yes', 'yes']);
    });

    it('§6.1.3.4 whitelist: who is listed, others → not-allowed / closed-node', async () => {
      await make({ accessModel: 'whitelist' });
      expect(await tried(seen)).toEqual(Array(2).fill('cancel not-allowed / closed-node'));
      await a.service.rules.setAffiliation('t', seen.name, 'member');
      expect(await tried(seen)).toEqual(['yes', 'yes']);
    });

    it('§6.1.3.8 an outcast → forbidden, whatever the model and the grants', async () => {
      await make({ accessModel: 'open' });
      await a.trust.allow(seen.fingerprint, 'read', '#');
      await a.service.rules.setAffiliation('t', seen.name, 'outcast');
      expect(await tried(seen)).toEqual(['auth forbidden', 'auth forbidden']);
    });

    it('§4.1 who may only publish neither subscribes nor retrieves', async () => {
      await make({ accessModel: 'open' });
      await a.service.rules.setAffiliation('t', seen.name, 'publish-only');
      expect(await tried(seen)).toEqual(['auth forbidden', 'auth forbidden']);
      await seen.ask('set', "<publish node='t'><item id='2'><x xmlns='urn:x'/></item></publish>");
    });

    it('a denial goes before the model and the affiliation, a grant before the model', async () => {
      await make({ accessModel: 'whitelist' });
      await a.trust.allow(seen.fingerprint, 'read', 't');
      expect(await tried(seen)).toEqual(['yes', 'yes']);
      await a.service.rules.setAffiliation('t', seen.name, 'owner');
      await a.trust.deny(seen.fingerprint, 'read', 't');
      expect(await tried(seen)).toEqual(['auth forbidden', 'auth forbidden']);
    });

    it('whoever has shown no key → forbidden, whatever the model; a grant lets it read, and never subscribe (§6.1.3.6)', async () => {
      const nobody = anonymous(a, 'mallory@h4');
      await make({ accessModel: 'open' });
      expect(await tried(nobody)).toEqual(['cancel forbidden', 'auth forbidden']);
      await a.service.rules.allow('class:plain', 'read', 't');
      expect(await tried(nobody)).toEqual(['cancel forbidden', 'yes']);
    });

    it('a name that is not there is closed as if it were', async () => {
      expect(await tried(seen)).toEqual(Array(2).fill('cancel not-allowed / closed-node'));
      await a.trust.allow(seen.fingerprint, 'read', 't');
      expect(await tried(seen)).toEqual(['cancel item-not-found', 'cancel item-not-found']);
    });
  });

  describe('§16.4.4 publish models', () => {
    const publish = (client: Asker): Promise<string> => {
      const inner = "<publish node='t'><item><x xmlns='urn:x'/></item></publish>";
      return client.ask('set', inner).then(() => 'yes', () => client.refused('set', inner));
    };

    it('publishers: who is listed', async () => {
      await make({ accessModel: 'open' });
      expect(await publish(seen)).toBe('auth forbidden');
      await a.service.rules.setAffiliation('t', seen.name, 'publisher');
      expect(await publish(seen)).toBe('yes');
    });

    it('subscribers: who has a subscription, as long as it may read', async () => {
      await make({ accessModel: 'presence', publishModel: 'subscribers' });
      expect(await publish(paired)).toBe('auth forbidden');
      await paired.ask('set', `<subscribe node='t' jid='${paired.name}'/>`);
      expect(await publish(paired)).toBe('yes');
      await a.broker.configure(OWNER, 't', { accessModel: 'whitelist' });
      expect(await publish(paired)).toBe('auth forbidden');
    });

    it('open: everybody with a key, who then retracts what is its own and nothing else', async () => {
      await make({ accessModel: 'open', publishModel: 'open' });
      await seen.ask('set', "<publish node='t'><item id='mine'><x xmlns='urn:x'/></item></publish>");
      expect(await paired.refused('set', "<retract node='t'><item id='mine'/></retract>")).toBe('auth forbidden');
      await seen.ask('set', "<retract node='t'><item id='mine'/></retract>");
      expect(all(await seen.ask('get', "<items node='t'/>"), 'item').map(({ attrs }) => attrs['id'])).toEqual(['1']);
    });
  });
});
