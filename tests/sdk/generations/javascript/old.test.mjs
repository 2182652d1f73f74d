// What an app does with a sandbox, in the words that every SDK from 1.0 to 2.6 understands.
// The names of the packages stand in SDK and, where code is to be run, INTERPRETER.
import assert from 'node:assert/strict'
import { setTimeout as later } from 'node:timers/promises'
import { test } from 'node:test'

const { Sandbox } = await import(process.env.SDK)
const oldIds = process.env.SDK === 'e2b-1.0'

async function eventually(probe) {
  for (let tries = 0; tries < 200; tries++) {
    if (await probe()) return
    await later(50)
  }
  throw new Error(`never: ${probe}`)
}

test('an old SDK finds the fake by its domain', async (t) => {
  const sandbox = await Sandbox.create({ metadata: { tour: 'yes' }, envs: { A: 'global' } })
  t.after(() => sandbox.kill())
  assert.equal(sandbox.sandboxId.endsWith('-6532622b'), oldIds)
  assert.equal(await sandbox.isRunning(), true)

  const run = await sandbox.commands.run('echo out $A; echo err >&2')
  assert.deepEqual([run.exitCode, run.stdout, run.stderr], [0, 'out global\n', 'err\n'])
  await assert.rejects(sandbox.commands.run('exit 3'), { exitCode: 3 })
  const sleeper = await sandbox.commands.run('sleep 600', { background: true })
  assert.equal(await sandbox.commands.kill(sleeper.pid), true)
  await assert.rejects(sleeper.wait())

  await sandbox.files.write('work/a.txt', 'ü')
  assert.equal(await sandbox.files.read('work/a.txt'), 'ü')
  assert.deepEqual((await sandbox.files.list('work')).map((entry) => entry.name), ['a.txt'])
  const seen = []
  const watcher = await sandbox.files.watchDir('work', (event) => seen.push(event.name))
  await sandbox.files.write('work/b.txt', 'seen')
  await eventually(() => seen.includes('b.txt'))
  await watcher.stop()
  const link = await sandbox.downloadUrl('work/b.txt')
  assert.match(link, /^https:\/\/49983-/)
  assert.equal(await (await fetch(link)).text(), 'seen')

  let shown = ''
  const terminal = await sandbox.pty.create({
    cols: 80,
    rows: 24,
    onData: (data) => (shown += new TextDecoder().decode(data)),
  })
  await sandbox.pty.sendInput(terminal.pid, new TextEncoder().encode('stty size; exit\n'))
  await terminal.wait()
  assert.match(shown, /24 80/)

  await sandbox.setTimeout(300_000)
  let listed = await Sandbox.list()
  if (listed.nextItems) listed = await listed.nextItems()
  assert.deepEqual(listed.map((each) => each.sandboxId), [sandbox.sandboxId])
  if (sandbox.betaPause) {
    await sandbox.betaPause()
    assert.equal(await sandbox.isRunning(), false)
  }
  const again = await Sandbox.connect(sandbox.sandboxId)
  assert.equal((await again.commands.run('cat work/b.txt')).stdout, 'seen')
})

test('a killed sandbox breaks what is open', async () => {
  const sandbox = await Sandbox.create()
  const sleeper = await sandbox.commands.run('sleep 600', { background: true, timeoutMs: 0 })
  await sandbox.kill()
  await assert.rejects(sleeper.wait())
  assert.equal(await sandbox.isRunning(), false)
})

test('preview links open with http and https', async (t) => {
  const sandbox = await Sandbox.create()
  t.after(() => sandbox.kill())
  await sandbox.files.write('index.html', 'hi')
  await sandbox.files.write(
    'serve.py',
    'import http.server as h\n' +
      "s = h.HTTPServer(('127.0.0.1', 0), h.SimpleHTTPRequestHandler)\n" +
      'print(s.server_port, flush=True)\ns.serve_forever()\n',
  )
  await sandbox.commands.run('python3 serve.py > port 2> errors < /dev/null &')
  const port = (await sandbox.commands.run('until [ -s port ]; do sleep 0.05; done; cat port')).stdout
  for (const scheme of ['http', 'https']) {
    const answer = await fetch(`${scheme}://${sandbox.getHost(Number(port))}/`)
    assert.equal(await answer.text(), 'hi')
  }
})

test('an old code interpreter runs code', { skip: !process.env.INTERPRETER }, async (t) => {
  const { Sandbox: Interpreter } = await import(process.env.INTERPRETER)
  const sandbox = await Interpreter.create()
  t.after(() => sandbox.kill())
  await sandbox.runCode('x = 20')
  assert.equal((await sandbox.runCode('x + 1')).text, '21')
  assert.equal((await sandbox.runCode('1 / 0')).error.name, 'ZeroDivisionError')
})
