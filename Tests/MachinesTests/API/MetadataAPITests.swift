import Glibc
import Linux
import OCI
import TestSupport
import Testing

@testable import bulkhead_vm

/// `/mmds` and `/mmds/config` before the start.
@Suite struct MetadataAPITests {
    private let scratch = Scratch()

    @Test func theDocumentIsWrittenChangedAndRead() throws {
        let controller = PrebootController.new()
        #expect(try controller.perform(.get, "/mmds") == .value(.object([])))
        #expect(
            controller.fault(.patch, "/mmds", #"{"a": 1}"#)
                == Fault("MMDS error: The MMDS data store is not initialized."))
        #expect(try controller.perform(.put, "/mmds", #"{"b": {"c": 1}, "a": "x"}"#) == .done)
        #expect(try controller.perform(.patch, "/mmds", #"{"b": {"c": null, "d": 2}}"#) == .done)
        #expect(try controller.perform(.get, "/mmds") == .value(["a": "x", "b": ["d": 2]]))
        let large = #"{"a": "\#(String(repeating: "x", count: 100))"}"#
        for method in [HTTPRequest.Method.put, .patch] {
            let refusal = controller.fault(method, "/mmds", large)
            #expect(refusal?.status == .payloadTooLarge)
            #expect(refusal?.message == "MMDS limit exceeded error: The MMDS patch request doesn't fit.")
        }
        #expect(try controller.perform(.get, "/mmds") == .value(["a": "x", "b": ["d": 2]]))
        #expect(controller.fault(.put, "/mmds/foo", "{}")?.message == "Unrecognized PUT request path `foo`.")
        #expect(controller.fault(.put, "/mmds", "{")?.message.contains("deserializing the json body") == true)
        // A snapshot could still be loaded.
        #expect(!controller.hasBootResources)
    }

    @Test(arguments: [
        (#"{"network_interfaces": ["a"], "ipv4_address": "169.254.0.1"}"#, "The MMDS IPv4 address is not link local."),
        (#"{"network_interfaces": ["a"], "ipv4_address": "169.254.255.1"}"#, "is not link local."),
        (#"{"network_interfaces": ["a"], "ipv4_address": "10.0.0.1"}"#, "is not link local."),
        (#"{"network_interfaces": []}"#, "The list of network interface IDs that allow forwarding MMDS requests is"),
        (#"{"network_interfaces": ["a"]}"#, "contains at least one ID that does not correspond to any existing"),
        ("{}", "missing field `network_interfaces`"),
        (#"{"network_interfaces": ["a"], "version": "V3"}"#, "unknown variant `V3`, expected `V1` or `V2`"),
        (#"{"network_interfaces": ["a"], "ipv4_address": "169.254.1.01"}"#, "invalid IPv4 address syntax"),
        (#"{"network_interfaces": ["a"], "imds_compat": 1}"#, "expected a boolean"),
    ]) func settingsThatCanNotBeAreRefused(_ body: String, _ why: String) {
        let controller = PrebootController.new()
        #expect(controller.fault(.put, "/mmds/config", body)?.message.contains(why) == true)
    }

    @Test func theFirstVersionIsDeprecated() throws {
        func deprecation(_ body: String) throws -> String? {
            try Route(HTTPRequest(.put, "/mmds/config", body: Array(body.utf8))).deprecation
        }
        let words = "PUT /mmds/config: V1 is deprecated. Use V2 instead."
        #expect(try deprecation(#"{"network_interfaces": ["a"]}"#) == words)
        #expect(try deprecation(#"{"network_interfaces": ["a"], "version": "V1"}"#) == words)
        #expect(try deprecation(#"{"network_interfaces": ["a"], "version": "V2"}"#) == nil)
    }

    @Test(.needs(.root)) func settingsAreKeptAndTold() throws {
        let controller = PrebootController.new()
        let tap = "bhm\(getpid())"
        let card = #"{"iface_id": "a", "host_dev_name": "\#(tap)"}"#
        _ = try controller.perform(.put, "/network-interfaces/a", card)
        let body = #"{"network_interfaces": ["a"], "version": "V2", "imds_compat": true}"#
        #expect(try controller.perform(.put, "/mmds/config", body) == .done)
        #expect(
            controller.resources.json["mmds-config"] == [
                "version": "V2", "network_interfaces": ["a"], "ipv4_address": "169.254.169.254", "imds_compat": true,
            ])
        #expect(controller.metadata.needsToken && controller.metadata.isPlain && controller.hasBootResources)
    }

    @Test func aFileOfMetadataIsReadFirst() throws {
        let config = try scratch.file(
            "config", Array(#"{"boot-source": {"kernel_image_path": "/none"}, "drives": []}"#.utf8))
        func run(_ text: String, _ more: String...) throws -> Monitor.Outcome {
            let file = try scratch.file("metadata", Array(text.utf8))
            return try Monitor(["--no-api", "--config-file", config, "--metadata", file] + more).finish()
        }
        let good = try run(#"{"a": 1}"#)
        #expect(good.status == 152 && good.out.contains("Successfully added metadata to mmds from file"))
        let bad = try run("{")
        let why = "MMDS error: metadata provided not valid json: EOF while parsing an object at line 1 column 1"
        #expect(bad.status == 152 && bad.err.hasSuffix("\(why)\n") && bad.out.contains(why), "\(bad.err)")
        let large = try run(#"{"a": 1}"#, "--mmds-size-limit", "5")
        let limit = "Populating MMDS from file failed: The MMDS patch request doesn't fit."
        #expect(large.status == 1 && large.err.hasSuffix("\(limit)\n") && large.out.contains(limit), "\(large.err)")
        let socket = "\(scratch.path)/socket"
        let missing = try Monitor(["--api-sock", socket, "--metadata", "/none"]).finish()
        #expect(missing.status == 1)
        #expect(
            missing.err.hasSuffix(
                "Unable to open or read from the mmds content file: No such file or directory (os error 2)\n"))
        // The socket is there already when the document is looked at, and goes again.
        let file = try scratch.file("metadata", Array(#"{"a": 1}"#.utf8))
        let served = try Monitor(["--api-sock", socket, "--metadata", file, "--mmds-size-limit", "5"]).finish()
        #expect(served.status == 1 && served.out.contains("API server started."), "\(served.out)")
        #expect(access(socket, F_OK) != 0)
    }
}
