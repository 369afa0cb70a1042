export interface TcpTarget {
  readonly kind: 'starttls' | 'tls';
  readonly host: string;
  readonly port: number;
}

export interface UrlTarget {
  readonly kind: 'websocket' | 'bosh';
  readonly url: string;
}

/** One way to the server. */
export type Target = TcpTarget | UrlTarget;

export function isTcp(target: Target): target is TcpTarget {
  return 'host' in target;
}

/** What is spoken at an address that the owner gave. */
export function kindOfUrl(url: string): UrlTarget['kind'] {
  return url.startsWith('wss:') ? 'websocket' : 'bosh';
}

export function targetText(target: Target): string {
  return isTcp(target) ? `${target.kind} ${target.host}:${target.port}` : `${target.kind} ${target.url}`;
}
