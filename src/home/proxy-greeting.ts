/** What a proxy's answer asks for: more of it, something to be said, or nothing more: `rest` is the server's. */
export interface Proxied {
  readonly say?: Uint8Array;
  readonly rest?: Buffer;
}

/** The conversation with a proxy before it is out of the way. `receive` throws when it comes to nothing. */
export interface Greeting {
  readonly first: Uint8Array;
  receive(bytes: Uint8Array): Proxied;
}
