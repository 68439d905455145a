// The declarations of the package agree with the classes and functions. Compiled, not run.
import * as declared from 'varve'
import { BlobStorage as DeclaredBlobStorage } from 'varve/blob'
import { HttpStorage as DeclaredHttpStorage } from 'varve/http'
import * as declaredInspect from 'varve/inspect'
import { MapStorage as DeclaredMapStorage } from 'varve/map'
import * as declaredContract from 'varve/test/storage'
import * as actual from '../../src/js/index.js'
import * as inspect from '../../src/js/inspect/index.js'
import { BlobStorage } from '../../src/js/storage/blob.js'
import * as contract from '../../src/js/storage/contract.js'
import { HttpStorage } from '../../src/js/storage/http/storage.js'
import { MapStorage } from '../../src/js/storage/map.js'

/** Compiles when A and B are the same type. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends (<T>() => T extends B ? 1 : 2) ? true : false
const same = <A, B>(_: Same<A, B>): void => {}

/** Checks that everything declared exists. */
const assignable = <Declared>(_actual: Declared): void => {}

// ---- Exports ----

same<keyof typeof declared, keyof typeof actual>(true)
same<keyof typeof declaredContract, keyof typeof contract>(true)
same<keyof typeof declaredInspect, keyof typeof inspect>(true)
assignable<typeof declaredInspect>(inspect)

// ---- The database ----

type Db = InstanceType<typeof actual.Varve>
type DeclaredDb = declared.Varve<any, any>

same<keyof DeclaredDb, Exclude<keyof Db, `_${string}`>>(true)
same<keyof typeof declared.Varve, keyof typeof actual.Varve>(true)
assignable<Pick<DeclaredDb, 'location' | 'sync' | 'flush' | 'getProperty' | 'resume' | 'export'>>(null! as Db)

// ---- Errors ----

same<keyof declared.VarveError, keyof InstanceType<typeof actual.VarveError>>(true)

// ---- Storages ----

// list() always throws there, which only the declaration says.
assignable<new (...args: ConstructorParameters<typeof DeclaredHttpStorage>) => Omit<DeclaredHttpStorage, 'list'>>(HttpStorage)
assignable<new (...args: ConstructorParameters<typeof DeclaredBlobStorage>) => DeclaredBlobStorage>(BlobStorage)
assignable<typeof DeclaredMapStorage>(MapStorage)
assignable<declared.Storage>(null! as HttpStorage)
assignable<declared.Storage>(null! as BlobStorage)
assignable<declared.Storage>(null! as MapStorage)

/** Methods that the class uses for its own files are not declared. */
type Own = 'read' | 'toRead'
same<keyof DeclaredHttpStorage, Exclude<keyof HttpStorage, Own>>(true)
same<keyof DeclaredBlobStorage, Exclude<keyof BlobStorage, Own>>(true)
same<keyof DeclaredMapStorage, keyof MapStorage>(true)

// ---- The contract ----

assignable<typeof declaredContract.testStorage>(contract.testStorage)
assignable<typeof declaredContract.testReadOnlyStorage>(contract.testReadOnlyStorage)
assignable<typeof contract.testStorage>(declaredContract.testStorage)
