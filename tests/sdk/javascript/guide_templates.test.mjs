// The guide's template for SSH access, as it shows it in JavaScript.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Sandbox, Template, waitForPort } from 'e2b'
import { eventually, keep } from './helpers.mjs'

const { runtime } = await (await fetch(`${process.env.E2B_API_URL}/_fake/state`)).json()
const skip = runtime.capabilities.includes('own_ports') ? false : `${runtime.name} shares its ports`

test('SSH access', { skip }, async (t) => {
  const template = Template()
    .fromUbuntuImage('25.04')
    .aptInstall(['openssh-server'])
    .runCmd([
      'curl -fsSL -o /usr/local/bin/websocat https://github.com/vi/websocat/releases/latest/download/websocat.x86_64-unknown-linux-musl',
      'chmod a+x /usr/local/bin/websocat',
    ], { user: 'root' })
    .setStartCmd('sudo websocat -b --exit-on-eof ws-l:0.0.0.0:8081 tcp:127.0.0.1:22', waitForPort(8081))
  const told = []
  await Template.build(template, 'ssh', { onBuildLogs: (entry) => told.push(entry.message) })
  assert.equal(told.filter((line) => line.includes('recorded, not run')).length, 3)

  const sandbox = await keep(t, Sandbox.create('ssh'))
  if ((await sandbox.commands.run('ls /usr/sbin/sshd || true')).stdout === '') return
  // What the bridge leads to says that it is an SSH server.
  const greeting = 'exec 3<>/dev/tcp/127.0.0.1/22; head -c 8 <&3'
  await eventually(async () => (await sandbox.commands.run(greeting)).stdout === 'SSH-2.0-')
})
