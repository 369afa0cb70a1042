import { assert, nat, property, stringMatching } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressToBytes, dotted, fourNumber, inSubnet, isHostAddress, isHostNumber, isLinkLocal, isLinkLocalNumber } from '../../src/mdns/address.ts';
import { isFromLink, isNumberOnLink, subnetsOf } from '../../src/mdns/interfaces.ts';

const bytesOf = (four: number): Uint8Array => Uint8Array.of(four >>> 24, four >>> 16, four >>> 8, four);

describe('an IPv4 address as a number', () => {
  it('is what its bytes are', () => {
    assert(property(nat(0xffff_ffff), (four) => {
      const bytes = bytesOf(four);
      expect(fourNumber(dotted(bytes, 0))).toBe(four);
      expect(addressToBytes(dotted(bytes, 0))).toEqual(bytes);
      expect(isHostNumber(four)).toBe(isHostAddress(bytes));
      expect(isLinkLocalNumber(four)).toBe(isLinkLocal(bytes));
    }));
    for (const four of [0xa9fe_0000, 0xa9fe_ffff, 0xa9fd_ffff, 0xa9ff_0000]) expect(isLinkLocalNumber(four)).toBe(isLinkLocal(bytesOf(four)));
  });

  it('is in a subnet as its bytes are', () => {
    assert(property(nat(0xffff_ffff), nat(0xffff_ffff), nat(32), nat(32), (own, other, prefix, kept) => {
      // Mostly near.
      const four = kept === 0 ? other : ((own ^ (other >>> kept)) >>> 0);
      const subnets = subnetsOf({ name: 'eth0', addresses: [{ address: dotted(bytesOf(own), 0), family: 4, prefix }, { address: 'fe80::1', family: 6, prefix: 64 }] });
      expect(isNumberOnLink(four, subnets)).toBe(inSubnet(bytesOf(four), bytesOf(own), prefix));
    }));
  });

  it('is four numbers, none of them written with a zero before it; a zone is left out', () => {
    for (const text of ['', '1', '1.2.3', '1.2.3.', '1.2.3.4.', '1.2.3.4.5', '.1.2.3', '1..2.3', '01.2.3.4', '1.2.3.00', '256.1.1.1', '1.2.3.4 ', 'a.b.c.d', '1.2.3.4x', '%eth0', '::1']) {
      expect(fourNumber(text)).toBe(-1);
    }
    expect([fourNumber('0.0.0.0'), fourNumber('255.255.255.255'), fourNumber('10.0.0.1%eth0')]).toEqual([0, 0xffff_ffff, 0x0a00_0001]);
    assert(property(stringMatching(/^[0-9.%]{0,17}$/), (text) => { expect(fourNumber(text) >= 0).toBe(/^((0|[1-9]\d?|1\d\d|2[0-4]\d|25[0-5])(\.(?!$|%)|(?=$|%))){4}(%|$)/.test(text)); }));
  });
});

describe('whoever sent a packet', () => {
  const subnets = subnetsOf({ name: 'eth0', addresses: [{ address: '10.77.0.1', family: 4, prefix: 16 }, { address: '2001:db8::1', family: 6, prefix: 64 }] });

  it.each([
    ['10.77.255.9', true], ['169.254.3.4', true], ['fe80::9', true], ['2001:db8::9', true],
    ['10.78.0.9', false], ['192.0.2.1', false], ['2001:db8:0:1::9', false], ['nowhere', false],
  ])('RFC 6762 §11 from %s is on the link: %s', (address, is) => {
    expect(isFromLink(address, subnets)).toBe(is);
  });
});
