// npm version: the suite gets the version of quayside, which it asks for.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { PACKAGES } from './packages.mjs'

const [{ pkg: quayside }, { folder, pkg }] = PACKAGES
pkg.version = pkg.peerDependencies.quayside = quayside.version
writeFileSync(join(folder, 'package.json'), `${JSON.stringify(pkg, null, 2)}\n`)
