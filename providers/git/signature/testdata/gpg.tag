object 4b825dc642cb6eb9a060e54bf8d69288fbee4904
type commit
tag v1
tagger Ann <ann@example.org> 1760000000 +0000

v1
-----BEGIN PGP SIGNATURE-----

wqsEABYIAF0FgmsBxnIJEBeHOfoRrqDkNRQAAAAAABwAEHNhbHRAbm90YXRpb25z
Lm9wZW5wZ3Bqcy5vcmfYBInBLowFCxGeb2jsfLZrFiEEAabLOHu1ZP64DPXEF4c5
+hGuoOQAAH3JAP9By05dca3foO+o/6/SecIseELnaaXsid+q8hAU73vX8wD/Z3Un
uea7RgJWkozhsB/06raodq04AB2x5xISKGunUw0=
-----END PGP SIGNATURE-----
