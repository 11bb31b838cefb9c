// SPDX-License-Identifier: Apache-2.0
// What a program with ioredis does: node ioredis_client.js PORT SOCKET_PATH.
'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { after, beforeEach, test } = require('node:test');
const Redis = require('ioredis');

const port = Number(process.argv[2]);
const socketPath = process.argv[3];
const clients = [];

function connected(...options) {
  clients.push(new Redis(...options));
  return clients.at(-1);
}

const redis = connected(port, '127.0.0.1', { connectionName: 'ioredis' });

beforeEach(() => redis.flushall());
after(() => clients.forEach((client) => client.disconnect()));

test('strings, numbers and what is not there', async () => {
  assert.equal(await redis.set('a', '1', 'PX', 100000), 'OK');
  assert.equal(await redis.set('a', '2', 'NX'), null);
  assert.equal(await redis.incrby('a', 41), 42);
  assert.deepEqual(await redis.mget('a', 'none'), ['42', null]);
  assert.ok((await redis.pttl('a')) > 90000);
  assert.equal(await redis.client('GETNAME'), 'ioredis');
});

test('bytes are kept as they are', async () => {
  const value = Buffer.from(Array.from({ length: 100000 }, (_, index) => index % 256));
  await redis.set(Buffer.from([0, 13, 10, 255]), value);
  assert.ok(value.equals(await redis.getBuffer(Buffer.from([0, 13, 10, 255]))));
});

test('hashes are objects', async () => {
  await redis.hset('h', { a: '1', '': 'empty', c: '3' });
  assert.deepEqual({ ...(await redis.hgetall('h')) }, { a: '1', '': 'empty', c: '3' });
  assert.equal(await redis.hincrby('h', 'a', 4), 5);
  await assert.rejects(redis.get('h'), /WRONGTYPE/);
});

test('a pipeline keeps its order', async () => {
  const pipeline = redis.pipeline();
  for (let i = 0; i < 1000; ++i) pipeline.incr('n');
  const replies = await pipeline.exec();
  assert.deepEqual(replies, replies.map((_, index) => [null, index + 1]));
});

test('commands are pipelined by themselves', async () => {
  const client = connected(port, { enableAutoPipelining: true });
  await Promise.all(Array.from({ length: 500 }, (_, i) => client.set(`k${i}`, i)));
  const values = await Promise.all(Array.from({ length: 500 }, (_, i) => client.get(`k${i}`)));
  assert.deepEqual(values, values.map((_, index) => String(index)));
});

test('a transaction, and one that a watched key ends', async () => {
  assert.deepEqual(await redis.multi().set('a', 1).incr('a').exec(), [[null, 'OK'], [null, 2]]);
  const other = connected(port);
  await other.watch('a');
  await redis.set('a', 'theirs');
  assert.equal(await other.multi().set('a', 'mine').exec(), null);
  assert.equal(await redis.get('a'), 'theirs');
});

test('scans are streams', async () => {
  const names = Array.from({ length: 1500 }, (_, index) => `key:${index}`);
  await redis.mset(new Map(names.map((name) => [name, '1'])));
  const found = new Set();
  for await (const keys of redis.scanStream({ match: 'key:*', count: 100 })) {
    keys.forEach((key) => found.add(key));
  }
  assert.deepEqual([...found].sort(), names.sort());
});

test('the Unix socket', async () => {
  const client = connected(socketPath);
  assert.equal(await client.ping(), 'PONG');
});

test('a connection that was cut comes back', async () => {
  const victim = connected(port, { retryStrategy: () => 10 });
  const id = await victim.client('ID');
  const back = once(victim, 'reconnecting').then(() => once(victim, 'ready'));
  assert.equal(await redis.client('KILL', 'ID', id), 1);
  await back;
  assert.equal(await victim.ping(), 'PONG');
  assert.notEqual(await victim.client('ID'), id);
  assert.equal(await victim.quit(), 'OK');
});
