import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import test from 'node:test'

import { Sandbox, Secret } from 'e2b'

import { keep } from './helpers.mjs'

test('a secret lives', async () => {
  const name = `Key-${randomUUID()}`
  const made = await Secret.create(name, 'one', { metadata: { team: 'data' } })
  assert.match(made.secretId, /^sec_[0-9a-z]{26}$/)
  assert.equal(made.name, name.toLowerCase())
  assert.equal(made.version, 1)
  const updated = await Secret.update(made.secretId, 'two')
  assert.equal(updated.version, 2)
  assert.deepEqual((await Secret.getInfo(name)).metadata, { team: 'data' })
  await assert.rejects(Secret.create(name, 'three'), /Secret cannot be modified/)
  assert.equal(await Secret.destroy(name), true)
  assert.equal(await Secret.exists(name), false)
  assert.equal(await Secret.destroy(name), false)
})

test('secrets are listed in pages', async (t) => {
  const names = Array.from({ length: 3 }, () => `key-${randomUUID()}`)
  for (const name of names) await Secret.create(name, 'value')
  t.after(() => Promise.all(names.map((name) => Secret.destroy(name))))
  const paginator = Secret.list({ limit: 1 })
  const found = []
  while (paginator.hasNext) found.push(...(await paginator.nextItems()))
  assert.deepEqual(found.map((each) => each.name).filter((name) => names.includes(name)), names)
})

test('a sandbox shows placeholders as they are', async (t) => {
  const value = `Bearer ${Secret.fill('api-key')}`
  const rules = { 'api.example.com': [{ transform: { headers: { Authorization: value } } }] }
  const iam = { tokens: { aws: Secret.iamToken({ audience: 'aws', tokenType: 'JWT-SVID' }) } }
  const sandbox = await keep(t, Sandbox.create({ network: { rules }, iam }))
  const info = await sandbox.getInfo()
  assert.equal(info.network.rules['api.example.com'][0].transform.headers.Authorization, value)
})
