// Guide: "Listing Sandboxes".
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Sandbox } from '@e2b/code-interpreter'
import { keep, uniqueMetadata } from './helpers.mjs'

test('the first page shows the new sandbox', async (t) => {
  const metadata = uniqueMetadata({ name: 'My Sandbox' })
  const sandbox = await keep(t, Sandbox.create({ metadata }))

  const paginator = Sandbox.list({ query: { metadata } })
  const [running, ...others] = await paginator.nextItems()

  assert.deepEqual(others, [])
  assert.deepEqual(running.metadata, metadata)
  assert.equal(running.sandboxId, sandbox.sandboxId)
  assert.ok(running.startedAt instanceof Date)
  assert.ok(Math.abs(running.startedAt - Date.now()) < 60_000)
  assert.ok(running.templateId)
  assert.equal(paginator.hasNext, false)
})

test('all pages together hold each sandbox once, newest first', async (t) => {
  const metadata = uniqueMetadata()
  const created = []
  for (let i = 0; i < 3; i++) {
    created.push((await keep(t, Sandbox.create({ metadata }))).sandboxId)
  }

  const paginator = Sandbox.list({ limit: 2, query: { metadata } })
  const listed = []
  while (paginator.hasNext) {
    listed.push(...(await paginator.nextItems()).map((item) => item.sandboxId))
  }

  assert.deepEqual(listed, created.reverse())
  assert.equal(paginator.nextToken, undefined)
})

test('a token starts a second paginator where the first stopped', async (t) => {
  const metadata = uniqueMetadata()
  const oldest = await keep(t, Sandbox.create({ metadata }))
  await keep(t, Sandbox.create({ metadata }))
  const first = Sandbox.list({ limit: 1, query: { metadata } })
  await first.nextItems()

  const second = Sandbox.list({ limit: 100, nextToken: first.nextToken, query: { metadata } })

  assert.deepEqual((await second.nextItems()).map((item) => item.sandboxId), [oldest.sandboxId])
})

test('a token that never was one is refused', async () => {
  await assert.rejects(
    Sandbox.list({ nextToken: '<base64-encoded-token>' }).nextItems(),
    /Invalid next token/,
  )
})

test('the state filter tells running from paused', async (t) => {
  const metadata = uniqueMetadata()
  const running = await keep(t, Sandbox.create({ metadata }))
  const paused = await keep(t, Sandbox.create({ metadata }))
  await paused.pause()

  const listed = async (state) =>
    (await Sandbox.list({ query: { state, metadata } }).nextItems()).map((item) => item.sandboxId)

  assert.deepEqual(await listed(['running']), [running.sandboxId])
  assert.deepEqual(await listed(['paused']), [paused.sandboxId])
  assert.equal((await listed(['running', 'paused'])).length, 2)
})

test('the metadata filter wants every pair', async (t) => {
  const { test: id } = uniqueMetadata()
  const sandbox = await keep(t, Sandbox.create({ metadata: { userId: id, env: 'dev', app: 'a' } }))
  await keep(t, Sandbox.create({ metadata: { userId: id, env: 'prod' } }))

  const found = await Sandbox.list({ query: { metadata: { userId: id, env: 'dev' } } }).nextItems()

  assert.deepEqual(found.map((item) => item.sandboxId), [sandbox.sandboxId])
})
