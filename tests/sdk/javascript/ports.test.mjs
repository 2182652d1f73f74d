// Ports opened in a sandbox, reached by `getHost` with node's own clients.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Sandbox } from 'e2b'
import { fetch, WebSocket } from 'undici'
import { eventually, keep } from './helpers.mjs'

// By the domain alone there are https: and wss: as in production.
const s = process.env.E2B_SANDBOX_URL ? '' : 's'

async function start(sandbox, file) {
  const source = readFileSync(new URL(`../../helpers/${file}`, import.meta.url), 'utf8')
  await sandbox.files.write(file, source)
  await sandbox.commands.run(`python3 ${file} 0 > port-of-${file} 2> errors < /dev/null &`)
  await eventually(async () => (await sandbox.files.read(`port-of-${file}`)).trim())
  const port = Number(await sandbox.files.read(`port-of-${file}`))
  return sandbox.getHost(port)
}

test('getHost leads to the service of each sandbox', async (t) => {
  const hosts = []
  for (let number = 0; number < 2; number++) {
    const sandbox = await keep(t, Sandbox.create())
    hosts.push(await start(sandbox, 'service.py'))
  }
  for (const host of hosts) {
    const answer = await fetch(`http${s}://${host}/a%2Fb?x=1`)
    const told = await answer.json()
    assert.equal(told.target, '/a%2Fb?x=1')
    assert.equal(Object.fromEntries(told.headers).Host, host)
  }
})

test('bodies stream both ways at once', async (t) => {
  const sandbox = await keep(t, Sandbox.create())
  const host = await start(sandbox, 'service.py')
  const { readable, writable } = new TransformStream()
  const writer = writable.getWriter()
  const sending = writer.write(new TextEncoder().encode('ping'))
  const answer = await fetch(`http${s}://${host}/duplex`, {
    method: 'POST', body: readable, duplex: 'half',
  })
  const reader = answer.body.getReader()
  await sending
  assert.equal(new TextDecoder().decode((await reader.read()).value), 'ping')
  writer.write(new TextEncoder().encode('pong'))
  assert.equal(new TextDecoder().decode((await reader.read()).value), 'pong')
  await writer.close()
  assert.equal((await reader.read()).done, true)
})

test('events arrive while the stream is open', async (t) => {
  const sandbox = await keep(t, Sandbox.create())
  const host = await start(sandbox, 'service.py')
  const abort = new AbortController()
  const answer = await fetch(`http${s}://${host}/events`, { signal: abort.signal })
  let seen = ''
  for await (const piece of answer.body) {
    seen += new TextDecoder().decode(piece)
    if (seen.includes('data: two\n\n')) break
  }
  abort.abort()
})

test('a WebSocket passes texts, bytes and the code it closes with', async (t) => {
  const sandbox = await keep(t, Sandbox.create())
  const host = await start(sandbox, 'websocket_service.py')
  const socket = new WebSocket(`ws${s}://${host}/`)
  socket.binaryType = 'arraybuffer'
  const next = (kind) => new Promise((resolve, reject) => {
    socket.addEventListener(kind, resolve, { once: true })
    socket.addEventListener('error', reject, { once: true })
  })
  await next('open')
  socket.send('hello')
  assert.equal((await next('message')).data, 'hello')
  const big = new Uint8Array(1_000_000).fill(7)
  socket.send(big)
  assert.deepEqual(new Uint8Array((await next('message')).data), big)
  socket.send('close:4001:enough')
  const closed = await next('close')
  assert.deepEqual([closed.code, closed.reason], [4001, 'enough'])
})

test('a WebSocket to a closed port does not open', async (t) => {
  const sandbox = await keep(t, Sandbox.create())
  const socket = new WebSocket(`ws${s}://${sandbox.getHost(1)}/`)
  await new Promise((resolve) => socket.addEventListener('error', resolve, { once: true }))
  const answer = await fetch(`http${s}://${sandbox.getHost(1)}/`)
  assert.equal(answer.status, 502)
  assert.equal((await answer.json()).message, 'The sandbox is running but port is not open')
})
