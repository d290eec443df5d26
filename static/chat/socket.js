// The live connection: reconnects with growing pauses, acknowledges what it got, notices a dead line.

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10000;
const ACK_EVERY = 8;
const ACK_WITHIN_MS = 250;
const PING_EVERY_MS = 25000;
const DEAD_AFTER_MS = 60000;
const BAD_FRAMES = 4400;
const NOT_SIGNED_IN = 4401;
const NO_CONSENT = 4403;

export class PortalSocket {
  #path; #on; #socket; #ids = 0; #attempt = 0; #retry; #heard = 0; #over = false;
  #acked = new Map(); #waiting; #ackTimer;

  // `on` has frame(frame), down({ attempt, code }), door(code): signed out, or consent is missing;
  // over(): the server does not understand this page, and coming back would change nothing.
  constructor(path, on) {
    this.#path = path;
    this.#on = on;
    setInterval(() => this.#beat(), PING_EVERY_MS);
    addEventListener("online", () => this.reconnect());
    this.#connect();
  }

  get open() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  send(type, fields = {}) {
    const id = String(++this.#ids);
    if (this.open) this.#socket.send(JSON.stringify({ type, id, ...fields }));
    return id;
  }

  reconnect() {
    if (this.#over || this.#socket?.readyState <= WebSocket.OPEN) return;
    clearTimeout(this.#retry);
    this.#connect();
  }

  // Acknowledges each eighth piece, or after a quarter of a second, whichever comes first.
  acknowledge(turn, seq) {
    this.#waiting = { turn, seq };
    if (seq - (this.#acked.get(turn) ?? 0) >= ACK_EVERY) this.#acknowledge();
    else this.#ackTimer ??= setTimeout(() => this.#acknowledge(), ACK_WITHIN_MS);
  }

  forget(turn) {
    this.#acked.delete(turn);
    if (this.#waiting?.turn === turn) this.#waiting = undefined;
  }

  #acknowledge() {
    clearTimeout(this.#ackTimer);
    this.#ackTimer = undefined;
    if (!this.#waiting) return;
    this.#acked.set(this.#waiting.turn, this.#waiting.seq);
    this.send("ack", this.#waiting);
    this.#waiting = undefined;
  }

  #connect() {
    const url = new URL(this.#path, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const socket = new WebSocket(url);
    this.#socket = socket;
    this.#heard = Date.now();
    socket.onmessage = (event) => this.#receive(JSON.parse(event.data));
    socket.onclose = (event) => { if (socket === this.#socket) this.#closed(event.code); };
  }

  #receive(frame) {
    this.#heard = Date.now();
    if (frame.type === "ready") this.#attempt = 0;
    if (frame.type !== "pong") this.#on.frame(frame);
  }

  #closed(code) {
    if (code === NOT_SIGNED_IN || code === NO_CONSENT) {
      this.#on.door(code);
      return;
    }
    if (code === BAD_FRAMES) {
      this.#over = true;
      this.#on.over();
      return;
    }
    this.#acked.clear();
    const pause = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** this.#attempt);
    this.#attempt += 1;
    this.#on.down({ attempt: this.#attempt, code });
    // A little chance spreads the return of many browsers after a restart.
    this.#retry = setTimeout(() => this.#connect(), pause * (0.75 + Math.random() / 2));
  }

  #beat() {
    if (!this.open) return;
    if (Date.now() - this.#heard > DEAD_AFTER_MS) this.#socket.close();
    else this.send("ping");
  }
}
