// SPDX-License-Identifier: Apache-2.0
// What a program with npm's redis does, in both protocols: node redis_client.js PORT SOCKET_PATH.
'use strict';

const assert = require('node:assert/strict');
const { after, before, beforeEach, describe, test } = require('node:test');
const { RESP_TYPES, createClient } = require('redis');

const port = Number(process.argv[2]);
const socketPath = process.argv[3];

const clients = [];
after(() => clients.filter((client) => client.isOpen).forEach((client) => client.destroy()));

async function connected(options) {
  const client = createClient({ socket: { host: '127.0.0.1', port }, ...options });
  client.on('error', () => {}); // What fails is told by the commands.
  clients.push(client);
  await client.connect();
  return client;
}

for (const RESP of [2, 3]) {
  describe(`RESP${RESP}`, () => {
    let client;
    before(async () => {
      client = await connected({ RESP, name: `redis-${RESP}` });
    });
    beforeEach(() => client.flushAll());

    test('strings, numbers and what is not there', async () => {
      assert.equal(await client.set('a', '1', { expiration: { type: 'EX', value: 100 } }), 'OK');
      assert.equal(await client.set('a', '2', { condition: 'NX' }), null);
      assert.equal(await client.incrBy('a', 41), 42);
      assert.deepEqual(await client.mGet(['a', 'none']), ['42', null]);
      assert.equal(await client.get('none'), null);
      assert.ok((await client.ttl('a')) > 90);
    });

    test('the connection has its name and its protocol', async () => {
      assert.equal(await client.clientGetName(), `redis-${RESP}`);
      const info = await client.sendCommand(['CLIENT', 'INFO']);
      assert.match(info, new RegExp(`\\bname=redis-${RESP}\\b`));
    });

    test('bytes are kept as they are', async () => {
      const value = Buffer.from(Array.from({ length: 100000 }, (_, index) => index % 256));
      await client.set('binary', value);
      const binary = client.withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer });
      assert.ok(value.equals(await binary.get('binary')));
    });

    test('hashes are objects', async () => {
      await client.hSet('h', { a: '1', '': 'empty', c: '3' });
      assert.deepEqual({ ...(await client.hGetAll('h')) }, { a: '1', '': 'empty', c: '3' });
      assert.deepEqual(await client.hmGet('h', ['a', 'none']), ['1', null]);
      assert.equal(await client.hExists('h', ''), 1);
      const fields = await client.hRandFieldCountWithValues('h', 3);
      assert.deepEqual(fields.map(({ field }) => field).sort(), ['', 'a', 'c']);
      await assert.rejects(client.get('h'), /WRONGTYPE/);
    });

    test('commands sent at once are pipelined', async () => {
      const replies = await Promise.all(Array.from({ length: 1000 }, () => client.incr('n')));
      assert.deepEqual(replies, replies.map((_, index) => index + 1));
    });

    test('a transaction, and one that a watched key ends', async () => {
      assert.deepEqual(await client.multi().set('a', '1').incr('a').exec(), ['OK', 2]);
      const other = await connected({ RESP });
      await other.watch('a');
      await client.set('a', 'theirs');
      await assert.rejects(other.multi().set('a', 'mine').exec(), /watched keys has been changed/);
      assert.equal(await client.get('a'), 'theirs');
    });

    test('scans are iterators', async () => {
      const names = Array.from({ length: 1500 }, (_, index) => `key:${index}`);
      await client.mSet(names.map((name) => [name, '1']));
      const found = new Set();
      for await (const keys of client.scanIterator({ MATCH: 'key:*', COUNT: 100 })) {
        keys.forEach((key) => found.add(key));
      }
      assert.deepEqual([...found].sort(), names.sort());
    });

    test('the Unix socket', async () => {
      const local = await connected({ RESP, socket: { path: socketPath } });
      assert.equal(await local.ping(), 'PONG');
    });

    test('a connection that was cut comes back', async () => {
      const reconnectStrategy = () => 10;
      const victim = await connected({
        RESP,
        socket: { host: '127.0.0.1', port, reconnectStrategy },
      });
      const id = await victim.clientId();
      const back = new Promise((resolve) => victim.once('ready', resolve));
      assert.equal(await client.sendCommand(['CLIENT', 'KILL', 'ID', String(id)]), 1);
      await back;
      assert.equal(await victim.ping(), 'PONG');
      assert.notEqual(await victim.clientId(), id);
      await victim.close();
    });
  });
}
