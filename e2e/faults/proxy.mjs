// A TCP proxy that does to a connection what networks do: delay, lose, freeze, cut, change a byte.
//
// TCP retransmits what is lost, so "30 % loss" appears to both ends as pauses: each piece is held back for a
// retransmission time with that probability. What it does is drawn from a seeded generator, so that a failure can be
// repeated.

import { connect, createServer } from 'node:net';

import { freePort } from './ports.mjs';

/** Until what was lost is sent again: the usual first retransmission timeout of Linux. */
const RETRANSMISSION_MS = 200;

export class Proxy {
  #pairs = new Set();
  #random = seeded(1);

  /** Listens on a free port and passes everything on to `target` until told otherwise. */
  static async to(target) {
    const proxy = new Proxy();
    proxy.target = target;
    proxy.heal();
    proxy.port = await freePort();
    proxy.server = createServer((socket) => proxy.#join(socket));
    await new Promise((listening) => proxy.server.listen(proxy.port, '127.0.0.1', listening));
    return proxy;
  }

  /** Passes on again; what was held back goes first. Connections that were cut stay cut. */
  heal() {
    this.fault = { refuse: false, up: {}, down: {}, watch: undefined };
    for (const pair of this.#pairs) pair.resume();
  }

  /** Accepts no new connection and cuts those there are. */
  refuse() {
    this.fault.refuse = true;
    this.cut();
  }

  /** Cuts every connection there is. */
  cut() {
    for (const pair of this.#pairs) pair.destroy();
  }

  /** Holds back everything in one direction ("up" to the target, "down" from it) or in both, without a word. */
  freeze(direction) {
    for (const way of ways(direction)) this.fault[way].frozen = true;
  }

  /** Delays each piece by up to `jitterMs`, and loses some. */
  disturb({ jitterMs = 0, loss = 0, direction } = {}) {
    for (const way of ways(direction)) Object.assign(this.fault[way], { jitterMs, loss });
  }

  /** Delays each piece by `ms`. */
  delay(ms, direction) {
    for (const way of ways(direction)) this.fault[way].delayMs = ms;
  }

  /** Changes one bit in each of the next `pieces` pieces. */
  corrupt(direction, pieces = 1) {
    for (const way of ways(direction)) this.fault[way].corrupt = pieces;
  }

  /** Calls `saw(direction, bytes)` before each piece is passed on; what it answers true to is not passed on. */
  watch(saw) {
    this.fault.watch = saw;
  }

  get connections() {
    return this.#pairs.size;
  }

  async close() {
    this.refuse();
    await new Promise((closed) => this.server.close(closed));
  }

  #join(near) {
    if (this.fault.refuse) return near.destroy();
    const far = connect(this.target, '127.0.0.1');
    const pair = new Pair(near, far);
    this.#pairs.add(pair);
    pair.once(() => this.#pairs.delete(pair));
    for (const [from, to, way] of [[near, far, 'up'], [far, near, 'down']]) {
      pair.pump(from, to, (bytes) => this.#pass(way, bytes));
    }
  }

  /** How long the piece is held back, or `null` for ever; the piece may be changed. */
  #pass(way, bytes) {
    if (this.fault.watch?.(way, bytes)) return { drop: true };
    const fault = this.fault[way];
    if (fault.corrupt > 0) {
      fault.corrupt -= 1;
      bytes[Math.floor(this.#random() * bytes.length)] ^= 1;
    }
    let wait = (fault.delayMs ?? 0) + (fault.jitterMs ?? 0) * this.#random();
    while (this.#random() < (fault.loss ?? 0)) wait += RETRANSMISSION_MS;
    return { wait, frozen: () => this.fault[way].frozen };
  }
}

/** Two ends of one connection; order within a direction is kept, as TCP keeps it. */
class Pair {
  #waiting = [];

  constructor(near, far) {
    Object.assign(this, { near, far });
    for (const socket of [near, far]) {
      socket.setNoDelay(true);
      socket.on('error', () => this.destroy());
      socket.on('close', () => this.destroy());
    }
  }

  once(closed) {
    this.closed = closed;
  }

  pump(from, to, pass) {
    let before = Promise.resolve();
    from.on('data', (bytes) => {
      const { drop, wait, frozen } = pass(bytes);
      if (drop) return;
      from.pause();
      before = before.then(async () => {
        if (wait > 0) await new Promise((passed) => setTimeout(passed, wait));
        while (frozen() && !to.destroyed) await new Promise((resumed) => this.#waiting.push(resumed));
        if (!to.destroyed) to.write(bytes);
        from.resume();
      });
    });
    from.on('end', () => void before.then(() => to.end()));
  }

  resume() {
    for (const resumed of this.#waiting.splice(0)) resumed();
  }

  destroy() {
    this.near.destroy();
    this.far.destroy();
    this.resume();
    this.closed?.();
  }
}

function ways(direction) {
  return direction ? [direction] : ['up', 'down'];
}

/** mulberry32: small, and the same everywhere. */
function seeded(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
