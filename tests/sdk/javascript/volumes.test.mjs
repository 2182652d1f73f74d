import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import test from 'node:test'

import { Sandbox, Volume } from 'e2b'

import { keep } from './helpers.mjs'

async function make(t) {
  const volume = await Volume.create(`data-${randomUUID()}`)
  t.after(() => Volume.destroy(volume.volumeId))
  return volume
}

test('a volume lives', async () => {
  const name = `data-${randomUUID()}`
  const made = await Volume.create(name)
  assert.equal(made.name, name)
  await assert.rejects(Volume.create(name), /already exists/)
  assert.ok((await Volume.list()).some((each) => each.volumeId === made.volumeId))
  const connected = await Volume.connect(made.volumeId)
  assert.deepEqual(await connected.list('/'), [])
  assert.equal(await Volume.destroy(made.volumeId), true)
  assert.equal(await Volume.destroy(made.volumeId), false)
  await assert.rejects(Volume.getInfo(made.volumeId), /not found/)
})

test('its content is written, read, listed and removed', async (t) => {
  const volume = await make(t)
  const written = await volume.writeFile('/a/b.txt', 'ü\n', { force: true, mode: 0o600 })
  assert.equal(written.path, '/a/b.txt')
  assert.equal(written.size, 3)
  assert.equal(written.mode, 0o600)
  await assert.rejects(volume.writeFile('/a/b.txt', 'again'), /already exists/)
  assert.equal(await volume.readFile('/a/b.txt'), 'ü\n')
  assert.equal((await volume.readFile('/a/b.txt', { format: 'bytes' })).length, 3)
  assert.equal((await volume.readFile('/a/b.txt', { format: 'blob' })).size, 3)
  const chunks = []
  for await (const chunk of await volume.readFile('/a/b.txt', { format: 'stream' })) {
    chunks.push(chunk)
  }
  assert.equal(Buffer.concat(chunks).toString(), 'ü\n')
  await volume.makeDir('/c', { uid: 1, gid: 2 })
  const listed = await volume.list('/', { depth: 2 })
  assert.deepEqual(listed.map((each) => each.path), ['/a', '/a/b.txt', '/c'])
  assert.equal((await volume.updateMetadata('/c', { mode: 0o700 })).uid, 1)
  await volume.remove('/a')
  assert.equal(await volume.exists('/a/b.txt'), false)
  await assert.rejects(volume.readFile('/a/b.txt'), /not found/)
  await assert.rejects(volume.remove('/'), /cannot delete root/)
})

test('two sandboxes share a volume', async (t) => {
  const volume = await make(t)
  const volumeMounts = { '/mnt/data': volume }
  const one = await keep(t, Sandbox.create({ volumeMounts }))
  const two = await keep(t, Sandbox.create({ volumeMounts: { '/srv/data': volume.name } }))
  await one.files.write('/mnt/data/a', 'x')
  assert.equal(await two.files.read('/srv/data/a'), 'x')
  assert.equal(await volume.readFile('/a'), 'x')
  await volume.writeFile('/b', 'y')
  assert.equal((await one.commands.run('cat b', { cwd: '/mnt/data' })).stdout, 'y')
})
