import { expect, test } from 'vitest';
import { Directory, type BrowseEvent } from '../../src/mdns/directory.ts';
import { subnetsOf } from '../../src/mdns/interfaces.ts';
import type { Resolved } from '../../src/mdns/output.ts';

test('an instance that is written in two ways on two links comes and goes under one name', () => {
  const events: string[] = [];
  const directory = new Directory({ own: { owns: () => false }, listeners: { emit: (_type: string, { type, service }: BrowseEvent) => void events.push(`${type} ${service.instance}`) } });
  const at = { interface: { name: 'eth0' }, subnets: subnetsOf({ name: 'eth0', addresses: [{ address: '10.0.0.1', family: 4, prefix: 24 }] }) };
  const said = (label: string, address: string): Resolved => ({
    name: `${label}._presence._tcp.local`, key: 'bob@x._presence._tcp.local', label, types: ['_presence._tcp.local'], host: 'x.local', port: 5298, text: '', addresses: [address],
  });
  directory.found('eth0/4', at, said('Bob@x', '10.0.0.2'));
  directory.found('eth0/6', at, said('bob@x', '10.0.0.3'));
  directory.lost('eth0/4', 'Bob@x._presence._tcp.local');
  directory.lost('eth0/6', 'bob@x._presence._tcp.local');
  expect(events).toEqual(['up Bob@x', 'changed Bob@x', 'changed Bob@x', 'down Bob@x']);
});
