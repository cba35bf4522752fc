// A stand-in for whatsapp-web.js: the browser's process loads it instead. It takes its orders from a socket in its folder,
// one JSON a line, and answers with what was asked of it.
const { EventEmitter } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');

class LocalAuth {
  constructor({ dataPath }) {
    this.dataPath = dataPath;
  }
  async afterBrowserInitialized() {}
}

class MessageMedia {
  constructor(mimetype, data, filename, filesize) {
    Object.assign(this, { mimetype, data, filename, filesize });
  }
}

const toMessage = (data) => ({
  ...data,
  downloadMedia: async () => {
    if (data.hangs) return new Promise(() => undefined);
    return data.file === undefined ? undefined : { data: Buffer.from(data.file).toString('base64') };
  },
});

class Client extends EventEmitter {
  constructor(options) {
    super();
    this.options = options;
    this.pupBrowser = Object.assign(new EventEmitter(), { process: () => ({ pid: undefined }) });
    this.pupPage = new EventEmitter();
    this.state = 'CONNECTED';
    this.chats = [];
    this.people = {};
    this.sends = 'well';
    this.destroyed = 0;
  }

  async initialize() {
    const { dataPath } = this.options.authStrategy;
    fs.mkdirSync(path.join(dataPath, 'session'), { recursive: true });
    await this.options.authStrategy.afterBrowserInitialized();
    this.line = net.connect(path.join(dataPath, 'test.sock'));
    this.line.setEncoding('utf8');
    let rest = '';
    this.line.on('data', (text) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      for (const line of lines) this.obey(JSON.parse(line));
    });
    const { options } = this;
    const puppeteer = options.puppeteer;
    this.say({ began: process.pid, puppeteer, env: Object.keys(process.env), deviceName: options.deviceName });
    await new Promise((resolve, reject) => {
      this.fail = reject;
    });
  }

  say(what) {
    this.line.write(`${JSON.stringify(what)}\n`);
  }

  obey({ emit, args = [], set, crash, hang, reject, throwLater }) {
    if (set) {
      Object.assign(this, set);
      this.say({ obeyed: true });
    }
    if (this.self) this.info = { wid: { _serialized: this.self } };
    if (emit) this.emit(emit, ...args.map((arg) => (arg?.id?._serialized ? toMessage(arg) : arg)));
    if (crash) process.kill(process.pid, 'SIGKILL');
    if (reject) this.fail(new Error(reject));
    if (throwLater)
      setImmediate(() => {
        throw new Error(throwLater);
      });
    if (hang) for (;;);
  }

  async destroy() {
    this.destroyed++;
    this.say({ destroyed: this.destroyed });
    // As Chromium does when it is closed.
    this.pupBrowser.emit('disconnected');
  }

  async getState() {
    this.say({ asked: this.state });
    if (this.state === 'hangs') return new Promise(() => undefined);
    return this.state;
  }

  async getChats() {
    return this.chats.map((chat) => this.toChat(chat));
  }

  async getChatById(id) {
    if (this.sends === 'no page') throw new Error('Execution context was destroyed');
    const chat = this.chats.find((one) => one.id === id);
    return chat && this.toChat(chat);
  }

  toChat({ id, timestamp, name, messages = [] }) {
    return {
      id: { _serialized: id },
      timestamp,
      name,
      fetchMessages: async ({ limit, fromMe }) => {
        this.say({ fetched: id, limit });
        const chosen = messages.filter((one) => fromMe === undefined || one.id.fromMe === fromMe);
        return chosen.slice(-limit).map(toMessage);
      },
    };
  }

  async getContactById(id) {
    this.say({ askedWho: id });
    const person = this.people[id];
    if (!person) throw new Error('nobody');
    return { id: { _serialized: person.number ?? id }, name: person.name };
  }

  async getMessageById(id) {
    const message = this.chats.flatMap(({ messages = [] }) => messages).find((one) => one.id._serialized === id);
    return message ? toMessage(message) : null;
  }

  async sendMessage(chat, content, options) {
    const id = this.ids?.shift() ?? 'SENT';
    const key = { fromMe: true, remote: chat, id, _serialized: `true_${chat}_${id}` };
    this.say({ sent: { chat, content, options } });
    const message = { id: key, type: 'chat', body: content, timestamp: 1, from: this.self, to: chat };
    if (this.sends === 'crashes') process.kill(process.pid, 'SIGKILL');
    if (this.sends === 'throws') throw new Error('evaluation failed');
    if (this.sends === 'nothing') return undefined;
    this.emit('message_create', toMessage(message));
    await new Promise((resolve) => setImmediate(resolve));
    return toMessage(message);
  }
}

module.exports = { Client, LocalAuth, MessageMedia };
