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
        func isDeprecated(_ body: String) throws -> Bool {
            try Route(HTTPRequest(.put, "/mmds/config", body: Array(body.utf8))).isDeprecated
        }
        #expect(try isDeprecated(#"{"network_interfaces": ["a"]}"#))
        #expect(try !isDeprecated(#"{"network_interfaces": ["a"], "version": "V2"}"#))
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
        for bad in [try run("{"), try run(#"{"a": 1}"#, "--mmds-size-limit", "5")] {
            #expect(bad.status == 152 && bad.err.contains("metadata provided not valid json"), "\(bad.err)")
        }
        #expect(try Monitor(["--metadata", "/none"]).finish().status == 1)
    }
}
