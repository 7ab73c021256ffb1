/** What plane.mjs takes of workerd beyond what Node has too. */
declare class IdentityTransformStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
}
declare const scheduler: { wait(milliseconds: number): Promise<void> };
