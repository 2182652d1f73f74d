// Guide: "Interactive Terminal (PTY)".
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Sandbox } from '@e2b/code-interpreter'
import { Screen, bytes, keep } from './helpers.mjs'

test('a terminal has its variables, folder and user', async (t) => {
  const sandbox = await keep(t, Sandbox.create())
  const screen = new Screen()
  const terminal = await sandbox.pty.create({
    cols: 80,
    rows: 24,
    onData: screen.onData,
    envs: { MY_VAR: 'hello' },
    cwd: '/home/user',
    user: 'root',
  })

  await sandbox.pty.sendInput(terminal.pid, bytes('echo "<$MY_VAR ${PWD##*/} $USER>"\n'))

  await screen.until('<hello user root>')
  await terminal.kill()
  await terminal.wait().catch(() => {})
})

test('resize reaches the program', async (t) => {
  const sandbox = await keep(t, Sandbox.create())
  const screen = new Screen()
  const terminal = await sandbox.pty.create({ cols: 80, rows: 24, onData: screen.onData })
  await sandbox.pty.sendInput(terminal.pid, bytes('stty size\n'))
  await screen.until('24 80')

  await sandbox.pty.resize(terminal.pid, { cols: 120, rows: 40 })

  await sandbox.pty.sendInput(terminal.pid, bytes('stty size\n'))
  await screen.until('40 120')
  await sandbox.pty.sendInput(terminal.pid, bytes('exit\n'))
  assert.equal((await terminal.wait()).exitCode, 0)
})

test('a terminal goes on while nobody listens', async (t) => {
  const sandbox = await keep(t, Sandbox.create())
  const [first, second] = [new Screen(), new Screen()]
  const terminal = await sandbox.pty.create({ cols: 80, rows: 24, onData: first.onData })
  await sandbox.pty.sendInput(terminal.pid, bytes('kept=$((6*7))\n'))
  await first.until('kept=')
  await terminal.disconnect()

  const again = await sandbox.pty.connect(terminal.pid, { onData: second.onData })

  await sandbox.pty.sendInput(terminal.pid, bytes('echo world-$kept; exit\n'))
  await second.until('world-42')
  assert.equal((await again.wait()).exitCode, 0)
  assert.ok(!first.shown.includes('world-42'))
})

test('killing a terminal says whether there was one', async (t) => {
  const sandbox = await keep(t, Sandbox.create())
  const onData = () => {}
  const terminal = await sandbox.pty.create({ cols: 80, rows: 24, onData, timeoutMs: 0 })

  assert.equal(await sandbox.pty.kill(terminal.pid), true)
  await assert.rejects(terminal.wait(), { name: 'CommandExitError', exitCode: -1 })
  assert.equal(await sandbox.pty.kill(terminal.pid), false)
})
