import { hostname } from 'node:os';
import { createLink, type Link, type LinkInit } from './link/link.ts';
import { createMdns } from './mdns/mdns.ts';
import { createSocketNetwork } from './mdns/socket-network.ts';
import type { Opened } from './opened.ts';
import type { CheckedOptions } from './options.ts';
import { loadCertificate } from './trust/identity.ts';

type OnLinkInit = Omit<LinkInit, 'mdns' | 'certificate' | 'interfaces' | 'port' | 'offLink'> & Exclude<CheckedOptions['link'], false> & {
  readonly dir: string;
  /** Gets what is to be closed. */
  readonly opened: Opened;
};

/** A box's place on the link, by mDNS on its interfaces; it has yet to start. Not loaded by a box that has none. */
export function createOnLink({ dir, opened, interfaces, port, offLink, ...init }: OnLinkInit): Link {
  const { clock, trouble, identity } = init;
  const only = interfaces === undefined ? {} : { interfaces };
  const mdns = createMdns({ network: createSocketNetwork(), clock, trouble, host: hostname(), ...only });
  opened.add(() => mdns.close());
  const link = createLink({
    ...init, mdns, offLink, ...only, ...(port === undefined ? {} : { port }),
    certificate: () => loadCertificate(dir, identity.key),
  });
  opened.add(() => link.close());
  return link;
}
