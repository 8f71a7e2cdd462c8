#!/bin/sh
# Writes the fixtures that tools make, by running the tools on the suites beside this file:
#
#	sh tests/parse/testdata/fixtures.sh
#	go test ./tests/parse -run TestFixtures -update   # then read the difference
#
# It is not part of the tests. It needs (names of Debian's packages): golang, python3-pytest python3-coverage,
# ruby-rspec ruby-rspec-junit-formatter ruby-simplecov, phpunit php-pcov, cmake, perl, maven libsurefire-java
# libmaven-compiler-plugin-java libmaven-resources-plugin-java, gradle, junit4, testng, libjacoco-java, ant, nunit-console
# libnunit-framework2.6.3-cil mono-mcs, node with npm; gotestsum on the PATH; in $NODE_MODULES the npm packages jest
# jest-junit mocha @cucumber/cucumber c8; in $MOCHA10_MODULES mocha@10 and mocha-junit-reporter, which knows no newer
# mocha. What is missing is left as it is. Paths of this machine become /src. README.md lists what made each fixture.
set -u
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r "$here/suites/." "$work"
cd "$work" || exit 1
export LC_ALL=C.UTF-8 NODE_DISABLE_COLORS=1 NO_COLOR=1 FORCE_COLOR=0
node=${NODE_MODULES:-}

# take FORMAT/NAME FILE: keep a file as a fixture.
take() {
	[ -s "$2" ] || { echo "missing: $1" >&2; return; }
	mkdir -p "$here/$(dirname "$1")"
	sed -E -e "s#(\.\./)+[a-zA-Z0-9./]*/node_modules#../node_modules#g" \
		-e "s#${node:-/nowhere}|${MOCHA10_MODULES:-/nowhere}#/src/node_modules#g" -e "s#$work(/[a-z]+)?#/src#g" \
		-e 's/(host|machine-)name="[^"]*"/\1name="host"/g' -e 's/sessioninfo id="[^"]*"/sessioninfo id="host"/' "$2" >"$here/$1"
}
have() { command -v "$1" >/dev/null || { echo "not here: $1" >&2; return 1; }; }

have go && (
	cd go || exit
	go test -json -p 1 ./... >../go.json 2>/dev/null
	go test -coverprofile ../go.cover ./calc >/dev/null 2>&1
	have gotestsum && gotestsum --junitfile ../gotestsum.xml ./... >/dev/null 2>&1
)
take GOTESTJSON/go go.json
take GOCOVER/go go.cover
take JUNITXML/gotestsum.xml gotestsum.xml

(
	cd pytest || exit
	/usr/bin/python3 -m pytest -q --continue-on-collection-errors --junitxml=../pytest.xml >/dev/null 2>&1
	/usr/bin/python3 -m pytest -q --junitxml=../pytest-xunit1.xml -o junit_family=xunit1 -o junit_logging=all --ignore test_broken.py >/dev/null 2>&1
	/usr/bin/python3 -m coverage run --branch -m pytest -q --ignore test_broken.py >/dev/null 2>&1
	/usr/bin/python3 -m coverage xml -q --include=calc.py -o ../coveragepy.xml
	/usr/bin/python3 -m coverage lcov -q --include=calc.py -o ../coveragepy.info
)
take JUNITXML/pytest.xml pytest.xml
take JUNITXML/pytest-xunit1.xml pytest-xunit1.xml
take COBERTURAXML/coveragepy.xml coveragepy.xml
take LCOV/coveragepy.info coveragepy.info

[ -n "$node" ] && (
	cd js || exit
	ln -s "$node" node_modules
	JEST_JUNIT_OUTPUT_FILE=../jest.xml npx jest --ci --reporters=jest-junit --coverage \
		--coverageReporters=clover --coverageReporters=cobertura --coverageReporters=lcovonly >/dev/null 2>&1
	cp coverage/clover.xml ../istanbul-clover.xml
	cp coverage/cobertura-coverage.xml ../istanbul-cobertura.xml
	cp coverage/lcov.info ../istanbul.info
	npx mocha --reporter xunit --reporter-options output=../mocha-xunit.xml calc.mocha.js >/dev/null 2>&1
	node --test --test-reporter=tap node.mjs >../node.tap 2>/dev/null
	node --test --test-reporter=junit node.mjs >../node.xml 2>/dev/null
	npx c8 --reporter=lcovonly --reports-dir=c8 npx mocha calc.mocha.js >/dev/null 2>&1
	cp c8/lcov.info ../c8.info
	cd ../cucumber || exit
	ln -s "$node" node_modules
	npx cucumber-js --format json:../cucumber.json >/dev/null 2>&1
	npx cucumber-js --format junit:../cucumber.xml >/dev/null 2>&1
)
[ -n "${MOCHA10_MODULES:-}" ] && (
	cd js || exit
	rm -f node_modules
	ln -s "$MOCHA10_MODULES" node_modules
	npx mocha --reporter mocha-junit-reporter --reporter-options mochaFile=../mocha.xml,includePending=true calc.mocha.js >/dev/null 2>&1
)
take JUNITXML/jest.xml jest.xml
take JUNITXML/mocha.xml mocha.xml
take JUNITXML/mocha-xunit.xml mocha-xunit.xml
take JUNITXML/node.xml node.xml
take JUNITXML/cucumber.xml cucumber.xml
take CUCUMBERJSON/cucumber-js.json cucumber.json
take CLOVERXML/istanbul.xml istanbul-clover.xml
take COBERTURAXML/istanbul.xml istanbul-cobertura.xml
take LCOV/istanbul.info istanbul.info
take LCOV/c8.info c8.info
take TAP/node.tap node.tap

have rspec && (
	cd rspec || exit
	rspec --format RspecJunitFormatter --out ../rspec.xml calc_spec.rb >/dev/null 2>&1
	cp coverage/.resultset.json ../simplecov.json
)
take JUNITXML/rspec.xml rspec.xml
take SIMPLECOV/resultset.json simplecov.json

have phpunit && (
	cd phpunit || exit
	phpunit --no-configuration --whitelist . --coverage-filter . --log-junit ../phpunit.xml --coverage-clover ../phpunit-clover.xml . >/dev/null 2>&1
	[ -s ../phpunit.xml ] || phpunit --coverage-filter . --log-junit ../phpunit.xml --coverage-clover ../phpunit-clover.xml . >/dev/null 2>&1
	phpunit --coverage-filter . --coverage-cobertura ../phpunit-cobertura.xml . >/dev/null 2>&1
)
take JUNITXML/phpunit.xml phpunit.xml
take CLOVERXML/phpunit.xml phpunit-clover.xml
take COBERTURAXML/phpunit.xml phpunit-cobertura.xml

have ctest && (
	cmake -S ctest -B ctest/build >/dev/null && cd ctest/build && ctest --output-junit "$work/ctest.xml" >/dev/null 2>&1
)
take JUNITXML/ctest.xml ctest.xml

# Debian has Maven's plugins in a repository of its own, in place of Maven Central.
have mvn && (
	echo "<settings><localRepository>$work/m2</localRepository><mirrors><mirror><id>debian</id><mirrorOf>*</mirrorOf><url>file:///usr/share/maven-repo</url></mirror></mirrors></settings>" >settings.xml
	cd java || exit
	mvn -q -s ../settings.xml test >/dev/null 2>&1
	cp target/surefire-reports/TEST-org.example.CalcTest.xml ../surefire.xml
)
have gradle && (
	cd java || exit
	gradle --offline --no-daemon -q test >/dev/null 2>&1
	cp build/test-results/test/TEST-org.example.CalcTest.xml ../gradle.xml
)
take JUNITXML/surefire-2.22.xml surefire.xml
take JUNITXML/gradle-4.4.xml gradle.xml

# Debian's agent of JaCoCo does not say what it is, and lacks what it needs, so an empty jar says both.
have javac && (
	j=/usr/share/java
	mkdir classes
	javac -encoding UTF-8 --release 11 -d classes -cp $j/testng.jar java/src/main/java/org/example/Calc.java testng/CalcTest.java
	echo 'Premain-Class: org.jacoco.agent.rt.internal.PreMain' >agent.mf
	echo "Class-Path: $(printf " file://$j/%s.jar" org.jacoco.agent.rt org.jacoco.core asm asm-commons asm-tree asm-analysis)" >>agent.mf
	jar cfm agent.jar agent.mf
	java -cp classes:$j/testng.jar:$j/jcommander.jar:$j/bsh.jar -javaagent:agent.jar=destfile=jacoco.exec,includes=org.example.* \
		org.testng.TestNG -d out -testclass org.example.CalcTest >/dev/null 2>&1
	for jar in org.jacoco.ant org.jacoco.core org.jacoco.report org.jacoco.agent asm asm-commons asm-tree asm-analysis; do
		set -- "$@" -lib $j/$jar.jar
	done
	ant -q "$@" -f testng/report.xml -Dbasedir="$work" >/dev/null
)
take TESTNGXML/testng-6.9.xml out/testng-results.xml
take JACOCOXML/jacoco-0.8.xml jacoco.xml

have mcs && (
	cd nunit || exit
	mcs -debug -target:library -r:"$(echo /usr/lib/mono/gac/nunit.framework/*/nunit.framework.dll)" -out:Calc.Tests.dll CalcTest.cs &&
		MONO_ENV_OPTIONS=--debug nunit-console -nologo -xml=../nunit.xml Calc.Tests.dll >/dev/null 2>&1
)
take NUNITXML/nunit-2.6.xml nunit.xml

have prove && (
	cd tap || exit
	perl calc.t >../perl.tap 2>&1
	prove -v calc.t skip.t >../prove.tap 2>&1
)
take TAP/perl.tap perl.tap
take TAP/prove.tap prove.tap
exit 0
