// Step 1: Initiate upload
const initResponse = await fetch('/api/uploads/multipart/init', {
  method: 'POST',
  body: JSON.stringify({ key: 'myfiles/largefile.zip', content_type: 'application/zip' })
});
const { upload_id, key } = await initResponse.json();

// Step 2: Split file into chunks
const chunkSize = 5 * 1024 * 1024; // 5MB chunks
const file = document.getElementById('fileInput').files[0];
const chunks = Math.ceil(file.size / chunkSize);
const parts = [];

// Step 3: Upload each chunk
for (let partNumber = 1; partNumber <= chunks; partNumber++) {
  // Get part upload URL
  const urlResponse = await fetch('/api/uploads/multipart/part-url', {
    method: 'POST',
    body: JSON.stringify({ key, upload_id, part_number: partNumber })
  });
  const { url } = await urlResponse.json();
  
  // Upload the chunk
  const start = (partNumber - 1) * chunkSize;
  const end = Math.min(file.size, partNumber * chunkSize);
  const chunk = file.slice(start, end);
  
  const uploadResponse = await fetch(url, {
    method: 'PUT',
    body: chunk
  });
  
  // Save the ETag
  const etag = uploadResponse.headers.get('ETag');
  parts.push({ PartNumber: partNumber, ETag: etag });
}

// Step 4: Complete the upload
await fetch('/api/uploads/multipart/complete', {
  method: 'POST',
  body: JSON.stringify({ key, upload_id, parts })
});
